"""Treaty's speed: each operation against the least that its statements and bytes cost on the same server program."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # so that `bench` is found as the type checkers find it

if __name__ == "__main__":
    from bench.run import main

    main()
