"""Regenerates the parts of documents that are derived from the program: `./run renew`."""

import sys
from contextlib import redirect_stdout
from io import StringIO

from tests.api import examples, golden, route_modules
from tests.docs import causes, clients, command_line, configuration, readme, webhooks
from tests.docs.generated import ROOT, renewed


def main() -> None:
    with redirect_stdout(sys.stderr if "--verbose" in sys.argv else StringIO()):  # hides the log of the broker
        generated = (causes, clients, configuration, command_line, webhooks)
        parts = {module.DOCUMENT: renewed(module.DOCUMENT, module.part()) for module in generated}
        parts |= {module.DOCUMENT: module.part() for module in (examples, golden, route_modules)}
        parts[readme.DOCUMENT] = readme.renewed_readme()
    for document, text in parts.items():
        is_changed = document.read_text("utf-8") != text
        document.write_text(text, encoding="utf-8")
        print(f"{document.relative_to(ROOT)}: {'regenerated' if is_changed else 'up to date'}")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
