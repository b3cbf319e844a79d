"""The alarms: each rings when it should, and the runbook says what to do then."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.kit.javascript import cannot_run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook.md"


def alerts() -> dict[str, dict[str, dict[str, str]]]:
    """Return the rules by name."""
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*arguments: str) -> None:
    """Run Prometheus's own tool; fail with what it says."""
    program = shutil.which("promtool")
    if program is None:
        cannot_run("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(
        [str(program), *arguments], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_files() -> None:
    """The alarms and the configuration are what they should be to Prometheus."""
    promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_alarms_ring_when_they_should_and_not_else() -> None:
    """By Prometheus's own tests of rules: what rings, when, and what it says."""
    promtool("test", "rules", "alerts_test.yml")


def test_each_alarm_is_tested_and_has_a_section_of_the_runbook() -> None:
    """Nobody is woken by an alarm that nobody has seen ring, or without a word."""
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    rung = {
        one["alertname"]
        for test in tests
        for one in test["alert_rule_test"]
        if one["exp_alerts"]
    }
    headings = re.findall(r"^## (Chatroom\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    known = alerts()
    assert rung == known.keys()
    assert sorted(headings) == sorted(known)
    for name, rule in known.items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"]["runbook_url"] == (f"docs/runbook.md#{name.lower()}")


def test_links_within_the_runbook_lead_somewhere() -> None:
    """At night nobody looks for a heading."""
    text = RUNBOOK.read_text()
    anchors = {heading.lower() for heading in re.findall(r"^## (\w+)$", text, re.M)}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= anchors
