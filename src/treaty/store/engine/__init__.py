"""The database engine: connections, statements, caching, leases, and encryption at rest. It knows no domain."""
