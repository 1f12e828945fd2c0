"""Pages of pacts and of their differences."""
