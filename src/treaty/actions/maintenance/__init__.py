"""Maintenance: clean-up, integrity checks, key rotation, imports and example data."""
