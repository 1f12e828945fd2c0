"""The HTTP API. A domain's modules contain its request bodies, handlers and representations."""
