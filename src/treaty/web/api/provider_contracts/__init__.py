"""Publication and retrieval of contracts of providers."""
