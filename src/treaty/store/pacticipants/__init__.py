"""Pacticipants, their labels, and the integrations between them."""
