"""HTTP: the protocol, headers, bodies, forms, media types and caching. It knows nothing about Pact."""
