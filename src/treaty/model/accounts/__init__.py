"""Accounts: roles, tokens, sessions, passwords, and the throttling of guesses."""
