"""The files of ``deploy/``, each checked by the tool of those that read it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from realtime.node.settings import Settings, options
from tests.kit.proxies import haproxy_file, nginx_file, program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "chatroom.service"
MANIFESTS = DEPLOY / "kubernetes" / "chatroom.yaml"
SETTING = re.compile(r"\bCHATROOM_[A-Z_]+\b")

# Of what a unit may do to the machine, by `systemd-analyze security`: 10 is everything.
EXPOSURE_AT_MOST = 4.0


def run(*command: str) -> str:
    """Run a tool; it is to have nothing to say on its standard error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def module(name: str, *arguments: str) -> str:
    """Run a tool of the virtual environment."""
    return run(str(Path(sys.executable).parent / name), *arguments)


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    """And warns of nothing in it."""
    config = nginx_file(tmp_path, (5000, 5001), 8080)
    said = run(
        *(program("nginx", "nginx-light"), "-t", "-q", "-p", str(tmp_path)),
        *("-e", str(tmp_path / "log"), "-c", str(config)),
        *("-g", f"pid {tmp_path}/pid; error_log {tmp_path}/log warn;"),
    )
    assert said == ""


def test_haproxy_takes_its_file(tmp_path: Path) -> None:
    """And warns of nothing in it."""
    config = haproxy_file(tmp_path, (5000, 5001), 8080)
    said = run(program("haproxy", "haproxy"), "-c", "-q", "-f", str(config))
    assert said == ""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program and files that are there on this machine."""
    text = UNIT.read_text()
    for name, there in (
        ("/opt/chatroom/bin/chatroom", "/bin/true"),
        ("/etc/chatroom.env", "/dev/null"),
    ):
        assert name in text
        text = text.replace(name, there)
    path = tmp_path / "chatroom.service"
    path.write_text(text)
    return path


def test_systemd_takes_the_unit(unit: Path) -> None:
    """It ends with 0 whatever it does not know, and says so."""
    said = run(program("systemd-analyze", "systemd"), "verify", "--man=no", str(unit))
    assert said == ""


def test_the_unit_shuts_the_server_in(unit: Path) -> None:
    """What it may do to the machine is little."""
    said = run(
        *(program("systemd-analyze", "systemd"), "security", "--offline=yes"),
        *("--no-pager", str(unit)),
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= EXPOSURE_AT_MOST


def test_the_image_is_built_as_it_should_be() -> None:
    """By hadolint's rules: versions are named, nobody is root."""
    said = module("hadolint", str(DEPLOY / "Dockerfile"))
    assert said == ""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    # What is copied is there, and all packages that ship are.
    stages = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    copied = {name for each in stages for name in each.split()}
    assert all((ROOT / name).exists() for name in copied)
    setup = (ROOT / "setup.cfg").read_text()
    packages = re.search(r"packages =\n((?:    \S+\n)+)", setup)
    assert packages
    assert {each.partition(".")[0] for each in packages[1].split()} <= copied


def test_compose_takes_its_file() -> None:
    """By the schema of the Compose specification; what it mounts is there."""
    file = DEPLOY / "compose.yaml"
    module("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file))
    services = yaml.safe_load(file.read_text())["services"]
    mounted = [
        volume.partition(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert mounted
    assert all((DEPLOY / each).exists() for each in mounted)


def _manifests() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(MANIFESTS.read_text())


def test_kubernetes_takes_the_manifests() -> None:
    """By the schemas of its API, strictly: a word that it does not know is an error."""
    module("kubernetes-validate", "--strict", str(MANIFESTS))


def test_a_pod_has_time_to_send_its_people_away() -> None:
    """Or it is killed in the midst of it; and none goes before a new one is ready."""
    (deployment,) = (each for each in _manifests() if each["kind"] == "Deployment")
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    needed = before + Settings().drain_seconds + Settings().shutdown_seconds
    assert pod["terminationGracePeriodSeconds"] >= needed + 10
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    # A Redis that is away must not have all pods restarted at once.
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod["enableServiceLinks"] is False
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert stop
    assert int(stop[1]) >= Settings().drain_seconds + Settings().shutdown_seconds


def test_the_files_name_settings_that_there_are() -> None:
    """A name that was changed would be refused at the start."""
    known = {each.variable for each in options()}
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        named = set(SETTING.findall(path.read_text()))
        assert named <= known, f"{path.name}: {sorted(named - known)}"
