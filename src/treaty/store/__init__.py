"""The database: only here is SQL known. Statements are built once, when a module is imported."""
