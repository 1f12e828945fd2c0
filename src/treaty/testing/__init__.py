"""Writing, publishing and verifying pacts, for the pytest plugin and the classic API."""
