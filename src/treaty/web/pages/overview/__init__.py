"""The overview, the dashboard, the network, the search, and the API explorer."""
