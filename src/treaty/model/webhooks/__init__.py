"""Webhooks: events, requests, deliveries and presets."""
