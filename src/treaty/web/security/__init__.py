"""Security: authentication, open access, throttling, cross-site requests and denied requests."""
