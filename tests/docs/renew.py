"""Renews the made parts of the documents: `.venv/bin/python -m tests.docs.renew`."""

from tests.api import examples, golden
from tests.docs import command_line, configuration
from tests.docs.generated import renewed


def main() -> None:
    for one in (configuration, command_line):
        one.DOCUMENT.write_text(renewed(one.DOCUMENT, one.part()), encoding="utf-8")
    examples.DOCUMENT.write_text(examples.part(), encoding="utf-8")
    golden.DOCUMENT.write_text(golden.part(), encoding="utf-8")


if __name__ == "__main__":
    main()
