"""Records of decisions, and overrides of them."""
