"""Accounts: users and their credentials."""
