"""What clients do: one function, one thing, one transaction. They may run twice, so they touch nothing but `db`."""
