"""Pacts: publications, their content, and lists."""
