"""Benchmarks of Treaty: each operation is compared with a floor, which replays its statements without Treaty's code."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # so that `bench` is imported as a package, as type checkers expect

if __name__ == "__main__":
    from bench.run import main

    main()
