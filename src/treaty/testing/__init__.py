"""What the pytest plugin and the classic API share: writing, publishing and verifying pacts."""
