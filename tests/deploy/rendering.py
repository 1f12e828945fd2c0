"""The manifests that Helm renders from the chart for several sets of values, recorded so that tests need no Helm.

`python -m tests.deploy.rendering` records it again, and requires Helm: `go install helm.sh/helm/v3/cmd/helm@latest`.
Each record has a checksum of the chart and the values, so that a test notices a chart that changed since.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.absence import require
from tests.docs.generated import ROOT

CHART: Final = ROOT / "deploy" / "chart"
FOLDER: Final = Path(__file__).parent / "rendered"
REFUSALS: Final = FOLDER / "refusals.json"
KUBERNETES: Final = "1.31.0"

_POSTGRESQL: Final[Mapping[str, Any]] = {
    "host": "postgres.example.org",
    "port": "5432",
    "adapter": "postgres",
    "databaseName": "pacts",
}
_KEY: Final = {"existingSecret": "treaty-key"}
VALUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "defaults": {},
    # Values of pact-broker-chart as its users have them, with the key that Treaty needs.
    "postgresql-with-secrets": {
        "broker": {
            "replicaCount": 2,
            "imagePullSecrets": ["registry"],
            "labels": {"team": "platform"},
            "annotations": {"example.org/note": "1"},
            "config": {
                "secretKey": _KEY,
                "databaseSslmode": "disable",
                "databaseConnectMaxRetries": 10,
                "basicAuth": {
                    "enabled": True,
                    "writeUser": {
                        "existingSecret": "users",
                        "existingSecretUsernameKey": "writer",
                        "existingSecretPasswordKey": "writer-password",
                    },
                    "readUser": {
                        "existingSecret": "users",
                        "existingSecretUsernameKey": "reader",
                        "existingSecretPasswordKey": "reader-password",
                    },
                },
            },
        },
        "database": {
            **_POSTGRESQL,
            "auth": {"username": "pact", "existingSecret": "database", "existingSecretPasswordKey": "user-password"},
        },
    },
    "ingress-and-autoscaling": {
        "broker": {
            "config": {
                "secretKey": {"value": "a key for tests, which is long"},
                "trustedProxies": "10.0.0.0/8",
                "webhookHostWhitelist": r"/.*\.example\.org$/ 10.0.0.0/8",
                "features": "disable_pacts_for_verification",
                "basicAuth": {
                    "enabled": True,
                    "enablePublicBadgeAccess": True,
                    "writeUser": {"username": "ci", "password": "a password of CI"},
                    "readUser": {"username": "dev", "password": "a password of people"},
                },
            },
            "autoscaling": {"enabled": True},
            "podDisruptionBudget": {"minAvailable": 1},
            "extraEnv": [{"name": "OTEL_SERVICE_NAME", "value": "pacts"}],
        },
        "database": {**_POSTGRESQL, "auth": {"username": "pact", "password": "p@ss: word"}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "50m"},
            "hosts": ["pacts.example.org", "pacts.internal"],
            "tls": {"enabled": True, "secretName": "pacts-tls"},
        },
        "serviceMonitor": {"enabled": True, "basicAuthSecret": "reader"},
    },
    "clean-up-job": {
        "broker": {
            "config": {
                "secretKey": _KEY,
                "databaseClean": {
                    "enabled": True,
                    "mode": "external",
                    "cronSchedule": "30 3 * * *",
                    "deletionLimit": 100,
                    "keepVersionSelectors": '[{"latest": true}, { "max_age": 180 }]',
                },
            }
        },
        "database": {**_POSTGRESQL, "auth": {"username": "pact", "existingSecret": "database"}},
    },
    "sqlite-with-clean-up": {
        "fullnameOverride": "pact-broker",
        "broker": {"config": {"databaseClean": {"enabled": True, "dryRun": True}}},
        "database": {"adapter": "sqlite", "databaseName": "pacts.sqlite"},
        "persistence": {"existingClaim": "pacts"},
        "service": {"type": "NodePort", "nodePorts": {"http": 30080}},
        "serviceAccount": {"create": False},
    },
}
REFUSED: Final[Mapping[str, Mapping[str, Any]]] = {
    "no key": {"database": _POSTGRESQL},
    "no database name": {"database": {"host": "db"}, "broker": {"config": {"secretKey": _KEY}}},
    "no host": {"database": {"adapter": "postgres"}},
    "several pods on SQLite": {"broker": {"replicaCount": 2}},
    "autoscaling on SQLite": {"broker": {"autoscaling": {"enabled": True}}},
    "a clean-up job on SQLite": {"broker": {"config": {"databaseClean": {"enabled": True, "mode": "external"}}}},
    "an unknown clean-up": {"broker": {"config": {"databaseClean": {"mode": "both"}}}},
    "no public heartbeat": {"broker": {"config": {"basicAuth": {"publicHeartbeat": False}}}},
    "no diagnostics": {"broker": {"config": {"enableDiagnosticEndpoints": False}}},
    "half a user": {"broker": {"config": {"basicAuth": {"enabled": True, "writeUser": {"username": "ci"}}}}},
    "an ingress without a host": {"ingress": {"enabled": True}},
    "a misspelt value": {"broker": {"replicaCuont": 2}},
    "a text instead of a boolean": {"ingress": {"enabled": "false"}},
}


def checksum(values: Mapping[str, Any]) -> str:
    """Return the checksum of the chart with values."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for file in sorted(path for path in CHART.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(CHART)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the recorded manifests for a set of values."""
    return [manifest for manifest in yaml.safe_load_all(_file(name).read_text("utf-8")) if manifest]


def recorded_checksum(name: str) -> str:
    return _file(name).read_text("utf-8").partition("\n")[0].removeprefix("# ")


def record() -> None:
    """Render all sets of values, and record the results."""
    require("helm")
    FOLDER.mkdir(exist_ok=True)
    for name, values in VALUES.items():
        done = _render(values)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        _file(name).write_text(f"# {checksum(values)}\n{done.stdout}", "utf-8")
    reasons = {name: [checksum(values), _reason(_render(values).stderr)] for name, values in REFUSED.items()}
    REFUSALS.write_text(json.dumps(reasons, indent=2) + "\n", "utf-8")


def _file(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def _reason(text: str) -> str:
    match = re.search(r"execution error at \([^)]*\): (.*)|(?s:don't meet the specifications.*?:\n.*?:\n(.*?)\n)", text)
    assert match, text
    return match[1] or match[2]


def _render(values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    options = ["--namespace", "pacts", "--kube-version", KUBERNETES, "--values", "-"]
    words = ["helm", "template", "treaty", str(CHART), *options]
    return subprocess.run(words, input=json.dumps(values), capture_output=True, text=True, check=False)


if __name__ == "__main__":
    record()
