"""The overview: what pages and lists show of everything."""
