"""Webhooks: changing them, enqueuing deliveries for events, and recording attempts."""
