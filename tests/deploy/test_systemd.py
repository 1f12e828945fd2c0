"""The unit of systemd: valid, and with as few rights as a broker needs."""

import re
import subprocess
from pathlib import Path
from typing import Final

from tests.absence import require
from tests.docs.generated import ROOT

UNIT: Final = ROOT / "deploy" / "systemd" / "treaty.service"


def analyze(*words: str | Path) -> tuple[int, str]:
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_unit_is_valid_and_hardened(tmp_path):
    require("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/treaty/bin/treaty", "/bin/true"), "utf-8")
    assert analyze("verify", "--man=no", unit) == (0, "")
    status, report = analyze("security", "--offline=yes", "--threshold=15", unit)
    assert status == 0, report


def test_the_unit_gives_a_shutdown_enough_time():
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert seconds
    assert int(seconds[1]) >= 30 + 30
