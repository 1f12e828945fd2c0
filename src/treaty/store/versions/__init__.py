"""Versions, branches and tags."""
