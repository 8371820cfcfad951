"""docker-compose.yml: every service is watched, no secret is written down, and nothing it names is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from core import settings
from partners.management.commands.work import BEAT_SECONDS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z_]+=", line)
)
SECRET = re.compile("PASSWORD|SECRET|TOKEN|KEY$")
each_service = pytest.mark.parametrize("name", SERVICES)


def test_it_has_the_services_of_the_design() -> None:
    assert set(SERVICES) == {"postgres", "redis", "web", "worker", "relay", "agent"}


@each_service
def test_every_service_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@each_service
def test_no_service_is_privileged_or_open_to_the_network(name: str) -> None:
    service = SERVICES[name]
    assert not service.get("privileged")
    for port in service.get("ports", []):
        assert re.match(r"(127\.0\.0\.1|\$\{RELAY_ADDRESS:-127\.0\.0\.1\}):", port)


@each_service
def test_secrets_come_from_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert re.fullmatch(r"\$\{[A-Z_]+:-\}", value), variable
    assert not re.search(r"://[^/\s$]*:[^/\s$@]+@", TEXT)


def test_secrets_are_blank_in_the_example() -> None:
    assert {name for name, value in EXAMPLE.items() if SECRET.search(name) and value} == set()


def test_the_example_names_every_variable_that_has_no_default() -> None:
    without = set(re.findall(r"\$\{([A-Z_]+):-\}", TEXT))
    assert without <= set(EXAMPLE)
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert set(EXAMPLE) <= used


@each_service
def test_what_a_service_names_is_declared(name: str) -> None:
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    for network in service.get("networks", []):
        assert network in COMPOSE["networks"]
    for other, condition in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert condition == {"condition": "service_healthy"}


def test_the_portals_variables_are_settings() -> None:
    known = {variable.name for variable in settings.VARIABLES}
    assert set(SERVICES["web"]["environment"]) <= known


def test_commands_exist() -> None:
    named = [SERVICES[name]["command"][2] for name in ("web", "worker")]
    assert named == ["serve", "work"]
    assert set(named) <= set(get_commands())


def test_the_worker_is_watched_by_the_file_that_it_touches() -> None:
    worker = SERVICES["worker"]
    file = worker["command"][worker["command"].index("--alive-file") + 1]
    assert worker["healthcheck"]["test"][3] == file
    assert float(worker["healthcheck"]["test"][4]) > 3 * BEAT_SECONDS


@pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not installed",
)
def test_docker_compose_takes_it() -> None:
    command = ["docker", "compose", "--profile", "agent", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
