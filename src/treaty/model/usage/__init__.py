"""What consumers rely on: the expectations in their pacts, queries for them, and the answers."""
