"""The overview: summaries of integrations, environments and histories for pages and lists."""
