"""Decisions: the facts of the matrix, of badges, and of pacts for verification."""
