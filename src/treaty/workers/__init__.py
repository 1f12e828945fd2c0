"""Background work of a server: deliveries, clean-up and key rotation."""
