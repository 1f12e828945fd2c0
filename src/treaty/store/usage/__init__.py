"""The usage index: what the contents of pacts expect, and queries for who expects it."""
