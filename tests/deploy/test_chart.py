"""The chart: valid manifests, in which Treaty starts with exactly their environment and passes exactly their probes."""

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import jsonschema_rs
import kubernetes_validate
import pytest
import yaml
from sqlalchemy import make_url

from tests import databases, postgres
from tests.deploy import rendering
from tests.docs.generated import ROOT
from tests.waiting import PATIENCE, eventually
from tests.whole import servers, writers
from treaty.settings import read_settings

SECRETS: Final = {
    "treaty-key": {"secret-key": "a key of the cluster, which is long"},
    "users": {"writer": "ci", "writer-password": "a password of CI", "reader": "dev", "reader-password": "another one"},
    "database": {"user-password": "p@ss: word"},
}
"""The existing secrets that the values name."""
CUSTOM_KINDS: Final = {"ServiceMonitor"}
"""Kinds of operators, whose schemas Kubernetes does not have."""


def manifests(name: str, kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in rendering.recorded(name) if manifest["kind"] == kind]


def pod(name: str, kind: str = "Deployment") -> dict[str, Any]:
    (manifest,) = manifests(name, kind)
    spec = manifest["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else manifest["spec"]
    pod_spec: dict[str, Any] = spec["template"]["spec"]
    return pod_spec


def container(name: str, kind: str = "Deployment") -> dict[str, Any]:
    (container,) = pod(name, kind)["containers"]
    return dict(container)


def environment(name: str, kind: str = "Deployment") -> dict[str, str]:
    """Return the variables of the container as Kubernetes sets them, with the values of secrets."""
    own = {manifest["metadata"]["name"]: manifest["stringData"] for manifest in manifests(name, "Secret")}
    secrets = {**SECRETS, **own}
    variables: dict[str, str] = {}
    for variable in container(name, kind)["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        variables[variable["name"]] = secrets[reference["name"]][reference["key"]] if reference else variable["value"]
    return variables


def test_the_records_are_of_this_chart():
    recorded = {name: rendering.recorded_checksum(name) for name in rendering.VALUES}
    assert recorded == {name: rendering.checksum(values) for name, values in rendering.VALUES.items()}, RECORD_AGAIN
    refused = json.loads(rendering.REFUSALS.read_text("utf-8"))
    sums = {name: checksum for name, (checksum, _reason) in refused.items()}
    assert sums == {name: rendering.checksum(values) for name, values in rendering.REFUSED.items()}, RECORD_AGAIN


RECORD_AGAIN: Final = "the chart has changed: run python -m tests.deploy.rendering, which requires Helm"


ORIGINAL_VALUES: Final = (Path(__file__).parent / "original_values.txt").read_text("utf-8").splitlines()
"""The names of the values of pact-broker-chart."""


@pytest.mark.parametrize("name", ORIGINAL_VALUES)
def test_a_value_of_the_originals_chart_is_accepted(name):
    part = json.loads((rendering.CHART / "values.schema.json").read_text("utf-8"))
    for word in name.split("."):
        if word not in part["properties"]:
            assert "additionalProperties" not in part
            return
        part = part["properties"][word]


def test_the_schema_has_every_value_of_the_chart():
    schema = json.loads((rendering.CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((rendering.CHART / "values.yaml").read_text("utf-8"))
    assert missing(values, schema) == []
    jsonschema_rs.validate(schema, values)


def missing(values: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    properties = schema.get("properties", {})
    return [
        *(name for name in values if name not in properties and schema.get("additionalProperties") is False),
        *(
            other
            for name, value in values.items()
            if isinstance(value, dict) and name in properties
            for other in missing(value, properties[name])
        ),
    ]


def test_values_that_contradict_each_other_are_refused_with_the_next_step():
    reasons = {name: reason for name, (_sum, reason) in json.loads(rendering.REFUSALS.read_text("utf-8")).items()}
    assert reasons.keys() == rendering.REFUSED.keys()
    assert all(re.search("set|must be|Additional property|Expected", reason) for reason in reasons.values())
    assert "kubectl create secret" in reasons["no key"]


@pytest.mark.parametrize("version", ["1.25", "1.31", "1.34"])
@pytest.mark.parametrize("name", rendering.VALUES)
def test_every_manifest_is_valid(name, version):
    rendered = rendering.recorded(name)
    assert {"Deployment", "Service"} <= {manifest["kind"] for manifest in rendered}
    for manifest in rendered:
        if manifest["kind"] not in CUSTOM_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", rendering.VALUES)
def test_objects_refer_to_each_other(name):
    (deployment,) = manifests(name, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    for manifest in rendering.recorded(name):
        selector = manifest.get("spec", {}).get("selector", {})
        assert selector.get("matchLabels", selector).items() <= labels
    (service,) = manifests(name, "Service")
    ports = {port["name"] for port in container(name)["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    mounted = {mount["name"] for mount in container(name)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod(name)["volumes"]}
    assert len({variable["name"] for variable in container(name)["env"]}) == len(container(name)["env"])


CONTAINERS: Final = [*((name, "Deployment") for name in rendering.VALUES), ("clean-up-job", "CronJob")]


@pytest.mark.parametrize(("name", "kind"), CONTAINERS)
def test_containers_have_no_rights_and_a_root_that_cannot_be_written(name, kind):
    context = container(name, kind)["securityContext"]
    assert (context["runAsUser"], context["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (1001, True, True)
    assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
    assert {mount["mountPath"] for mount in container(name, kind)["volumeMounts"]} <= {"/tmp", "/var/lib/treaty"}  # noqa: S108


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("defaults", {"PersistentVolumeClaim", "ServiceAccount"}),
        ("postgresql-with-secrets", {"PodDisruptionBudget", "ServiceAccount"}),
        (
            "ingress-and-autoscaling",
            {"HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget", "Secret", "ServiceAccount", "ServiceMonitor"},
        ),
        ("clean-up-job", {"CronJob", "ServiceAccount"}),
        ("sqlite-with-clean-up", set()),
    ],
)
def test_values_decide_which_objects_there_are(name, kinds):
    manifest_kinds = {manifest["kind"] for manifest in rendering.recorded(name)}
    assert manifest_kinds == {"Deployment", "Service", *kinds}


def test_settings_have_the_values_of_the_chart(tmp_path):
    settings = read_settings({}, environment("ingress-and-autoscaling"), tmp_path)
    assert settings.database_url == "postgresql://pact:p%40ss%3A%20word@postgres.example.org:5432/pacts?sslmode=prefer"
    assert settings.base_urls == ("https://pacts.example.org", "https://pacts.internal")
    assert settings.webhook_host_whitelist == (r"/.*\.example\.org$/", "10.0.0.0/8")
    assert (settings.basic_auth_username, settings.basic_auth_read_only_username) == ("ci", "dev")
    assert settings.secret_key is not None
    assert settings.enable_public_badge_access
    assert settings.shutdown_delay.total_seconds() == 10
    assert settings.database_clean_enabled is False


def test_the_delay_and_the_last_requests_fit_into_the_grace_period():
    for name in rendering.VALUES:
        delay = float(environment(name)["PACT_BROKER_SHUTDOWN_DELAY"])
        assert pod(name)["terminationGracePeriodSeconds"] >= delay + 30 + 30


def test_the_chart_has_the_version_of_the_program():
    chart = yaml.safe_load((rendering.CHART / "Chart.yaml").read_text("utf-8"))
    version = f'version = "{chart["appVersion"]}"'
    assert version in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"ARG VERSION={chart['appVersion']}" in (ROOT / "Dockerfile").read_text("utf-8")


@contextmanager
def deployed(name: str, folder: Path, **changes: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a server with the environment of the container, apart from the parts that exist in a cluster only.

    Yields its address and variables. The address that it announces is that of the ingress.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    variables = {**environment(name), **changes, "PACT_BROKER_PORT": port, "PACT_BROKER_SHUTDOWN_DELAY": "0"}
    server = servers.launch(["treaty", "serve"], folder, {**variables, "PATH": os.environ["PATH"]})
    try:
        yield f"http://127.0.0.1:{port}", variables
    finally:
        server.end()


def probe(address: str, name: str) -> list[int]:
    """Send the requests of the probes as the kubelet does, without credentials."""
    requests = [container(name)[kind]["httpGet"] for kind in PROBES]
    assert {request["port"] for request in requests} == {"http"}
    return [httpx.get(address + request["path"], timeout=PATIENCE).status_code for request in requests]


PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
WITH_POSTGRESQL: Final = ("postgresql-with-secrets", "ingress-and-autoscaling", "clean-up-job")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["defaults", "sqlite-with-clean-up"])
def test_a_pod_with_sqlite_is_ready_with_the_rendered_environment(name, tmp_path):
    database = environment(name)["PACT_BROKER_DATABASE_NAME"]
    (mount,) = [mount for mount in container(name)["volumeMounts"] if mount["name"] == "data"]
    assert Path(database).is_relative_to(mount["mountPath"])
    changes = {"PACT_BROKER_DATABASE_NAME": str(tmp_path / Path(database).name)}
    with deployed(name, tmp_path, **changes) as (address, _variables):
        eventually(lambda: probe(address, name) == [200] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_POSTGRESQL)
def test_a_pod_with_postgresql_is_ready_and_its_users_have_their_passwords(name, postgres_url, tmp_path):
    with (
        postgres.database(postgres_url) as url,
        deployed(name, tmp_path, **database_variables(url)) as (address, variables),
    ):
        eventually(lambda: probe(address, name) == [200] * 3)
        if user := find_user(variables, ""):
            assert publish(address, None) == 401
            reader = find_user(variables, "_READ_ONLY")
            assert publish(address, reader) in {401, 403}
            assert publish(address, user) == 200
            question = "q[][pacticipant]=Shop&q[][version]=1&latestby=cvp&latest=true"
            answer = httpx.get(f"{address}/matrix?{question}", auth=reader, timeout=PATIENCE)
            assert answer.json()["summary"]["deployable"] is None


def find_user(variables: Mapping[str, str], kind: str) -> tuple[str, str] | None:
    """Return the name and the password of a user of the environment, if it has one."""
    name = variables.get(f"PACT_BROKER_BASIC_AUTH{kind}_USERNAME")
    return (name, variables[f"PACT_BROKER_BASIC_AUTH{kind}_PASSWORD"]) if name else None


@pytest.mark.slow
def test_the_clean_up_job_runs_with_the_rendered_environment(postgres_url, tmp_path):
    image_command = (ROOT / "deploy" / "image" / "clean").read_text("utf-8")
    assert container("clean-up-job", "CronJob")["command"] == ["clean"]
    assert 'exec treaty clean "$@"' in image_command
    with postgres.database(postgres_url) as url:
        databases.migrated(url)
        variables = {**environment("clean-up-job", "CronJob"), **database_variables(url), "PATH": os.environ["PATH"]}
        done = servers.run_in(tmp_path, ["treaty", "clean"], variables)
    assert done.returncode == 0, done.stderr
    assert "does not read" not in done.stderr


def database_variables(database_url: str) -> dict[str, str]:
    """Return the variables of a database of the tests, which replaces that of the cluster."""
    url = make_url(database_url)
    return {
        "PACT_BROKER_DATABASE_HOST": str(url.host),
        "PACT_BROKER_DATABASE_PORT": str(url.port or 5432),
        "PACT_BROKER_DATABASE_NAME": str(url.database),
        "PACT_BROKER_DATABASE_USERNAME": str(url.username),
        "PACT_BROKER_DATABASE_PASSWORD": str(url.password or ""),
    }


def publish(address: str, user: tuple[str, str] | None) -> int:
    body = writers.body("Shop", "1", "Prices")
    return httpx.post(f"{address}/contracts/publish", json=body, auth=user, timeout=PATIENCE).status_code
