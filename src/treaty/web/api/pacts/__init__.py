"""Pacts: publishing, fetching, lists, differences, and provider states."""
