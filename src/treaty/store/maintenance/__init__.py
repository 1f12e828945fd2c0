"""Maintenance: retention and removal, integrity checks, key rotation, imports and metrics."""
