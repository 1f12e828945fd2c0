"""Maintenance: imports, metrics, and diagnostics."""
