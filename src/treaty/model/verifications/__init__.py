"""Verification results."""
