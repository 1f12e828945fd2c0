"""The overview: index, dashboard, network, and the documentation of relations."""
