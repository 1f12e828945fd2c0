"""Decisions: the matrix and its verdict, selectors, reasons, badges, and pacts for verification."""
