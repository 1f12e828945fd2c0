"""Pages of the contracts of providers, and of their comparisons with pacts."""
