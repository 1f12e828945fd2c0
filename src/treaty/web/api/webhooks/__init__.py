"""Webhooks and their triggered deliveries."""
