"""Pacts: content, interactions, differences and lists."""
