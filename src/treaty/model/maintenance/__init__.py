"""Maintenance: retention, imports and metrics."""
