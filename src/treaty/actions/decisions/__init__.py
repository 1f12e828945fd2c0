"""Writes about decisions."""
