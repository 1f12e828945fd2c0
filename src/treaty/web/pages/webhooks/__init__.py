"""Pages of webhooks, with their forms."""
