"""Exempts what the fork server has loaded from garbage collection. It is the last module that the server imports.

Otherwise the collection when a server starts would visit, and so copy, all memory that is shared with the fork server.
"""

import gc

gc.collect()
gc.freeze()
