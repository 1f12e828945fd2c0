"""Contracts that providers publish: documents, self-verifications, and comparisons with pacts."""
