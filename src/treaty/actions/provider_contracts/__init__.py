"""Publication of contracts of providers, and their comparison with pacts."""
