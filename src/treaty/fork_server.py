"""Prepares the process that the workers of a server are forked from: it loads each module that they need.

That process is Python's own fork server, which imports this module when it starts.
"""

import importlib
import os
import signal

from treaty.loading import hidden_package, permanent_objects

with permanent_objects(), hidden_package("rich"):  # see the command `serve`
    from treaty.web.routers import find_modules

    for _name in ("treaty.app", *find_modules()):
        importlib.import_module(_name)

# A supervisor may send SIGTERM to all processes of a server. The first process learns from this one how its workers
# ended, and would not wait for their last requests without it. It ends with the first process.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
