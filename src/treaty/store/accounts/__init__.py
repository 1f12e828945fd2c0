"""Accounts: users, tokens, sessions, and counted attempts."""
