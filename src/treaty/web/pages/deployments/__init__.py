"""Pages of environments, and their forms."""
