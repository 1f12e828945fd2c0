"""Webhooks, and their queued and past deliveries."""
