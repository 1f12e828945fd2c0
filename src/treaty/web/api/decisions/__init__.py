"""Decisions: the matrix, can-i-deploy, badges, and pacts for verification."""
