"""Pacts: publishing and removing them."""
