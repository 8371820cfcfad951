"""Registration: an enrolment token in, this machine's own key out, into a file that only its owner reads."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

from agent import __version__, config, durable
from agent.transport import Answer, Connection

PATH = "/api/v1/collectors/register"


class EnrolError(Exception):
    """The machine was not registered; the sentence says why, and never shows the token or the key."""


def enrol(url: str, token: str, environment: Mapping[str, str]) -> str:
    """Path of the file with the settings. ConfigError when the URL is wrong."""
    path = config.config_path(environment)
    kept = config.parse(_existing(path), path)
    machine_id = environment.get("PERFAGENT_MACHINE_ID") or kept.get("machine_id") or os.uname().nodename
    ca_file = environment.get("PERFAGENT_CA_FILE") or kept.get("ca_file", "")
    values = {**kept, "url": url.rstrip("/"), "machine_id": machine_id}
    if ca_file:
        values["ca_file"] = ca_file
    config.check({**values, "key": token})
    values["machine_id"], values["key"] = _register(values["url"], token, machine_id, ca_file)
    config.check(values)
    _write(path, values)
    return path


def _existing(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise EnrolError(f"The file {path} cannot be read: {error.strerror}.") from None


def _register(url: str, token: str, machine_id: str, ca_file: str) -> tuple[str, str]:
    body = json.dumps({"machine_id": machine_id, "hostname": os.uname().nodename}).encode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "User-Agent": f"perfagent/{__version__}",
    }
    try:
        answer = Connection(url, ca_file).post(PATH, headers, body)
    except OSError as error:  # an unreadable CA file is an OSError too
        raise EnrolError(f"{url} could not be reached: {error}.") from None
    return _key(answer, url)


def _key(answer: Answer, url: str) -> tuple[str, str]:
    try:
        content: Any = json.loads(answer.body)
        if answer.status == 201:
            return str(content["machine_id"]), str(content["api_key"])
        reason = f"{content['code']}: {content['error']}"
    except (ValueError, KeyError, TypeError):
        reason = "an answer that is not the portal's"
    raise EnrolError(f"{url} did not register this machine: HTTP {answer.status}, {reason}")


def _write(path: str, values: Mapping[str, str]) -> None:
    text = "# Written by perfagent enrol. Every setting: docs/agent.md\n"
    text += "".join(f"{name} = {value}\n" for name, value in values.items())
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        durable.write_file(os.path.abspath(path), text.encode())
    except OSError as error:
        raise EnrolError(f"The machine is registered, but {path} cannot be written: {error.strerror}.") from None
