"""Comparison of a provider's documents (OpenAPI, AsyncAPI) with a consumer's pact."""
