"""Contracts of providers in the database."""
