"""Decisions: loads the facts of the matrix, of badges, and of pacts for verification.

`matrix` loads the facts of a query: `selectors` resolves its selectors, `matrix_rows` lists the rows, and
`matrix_summary` counts them where there are too many to list.
"""
