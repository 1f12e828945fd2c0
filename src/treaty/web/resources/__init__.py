"""Resources: parse, call, say where the result is."""
