"""Pages of applications, and their forms."""
