"""The broker on the wire."""
