"""Comparison of a provider's documents (OpenAPI, AsyncAPI) with a consumer's pact.

`compare` in `engine` is pure: no database, clock or network. `docs/comparison.md` describes the rules for users.
"""
