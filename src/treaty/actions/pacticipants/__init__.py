"""Pacticipants and the integrations between them."""
