"""Decisions: the matrix, selectors, reasons, badges, and pacts for verification."""
