"""The agent's settings: /etc/perfagent/agent.conf, then the environment over it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_PATH = "/etc/perfagent/agent.conf"


class ConfigError(Exception):
    """A setting that cannot be used; one sentence says which, and what is expected."""


@dataclass(frozen=True)
class Config:
    url: str = ""
    key: str = field(default="", repr=False)
    machine_id: str = ""
    spool_dir: str = "/var/lib/perfagent"
    sample_seconds: float = 60
    upload_seconds: float = 300
    proc_root: str = "/proc"
    sys_root: str = "/sys"
    ca_file: str = ""
    spool_max_mb: float = 512
    spool_max_days: float = 14
    processes: float = 5
    relay_listen: str = "0.0.0.0:8080"
    relay_max_body_mb: float = 16
    relay_spool_max_mb: float = 4096
    relay_key_hours: float = 168


_NUMBERS: Mapping[str, tuple[float, float]] = {
    "sample_seconds": (1, 3600),
    "upload_seconds": (1, 86_400),
    "spool_max_mb": (1, 1_048_576),
    "spool_max_days": (0.01, 3650),
    "relay_max_body_mb": (0.1, 1024),
    "relay_spool_max_mb": (1, 1_048_576),
    "relay_key_hours": (0.01, 8760),
    "processes": (0, 50),
}
_URL = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[A-Za-z0-9._~%/-]*)?")
_NAMES = tuple(Config.__dataclass_fields__)


def config_path(environment: Mapping[str, str]) -> str:
    return environment.get("PERFAGENT_CONFIG") or DEFAULT_PATH


def load(environment: Mapping[str, str]) -> Config:
    """ConfigError for the first setting that is wrong."""
    path = config_path(environment)
    text = _read_file(path, required=bool(environment.get("PERFAGENT_CONFIG")))
    values = parse(text, path)
    for name in _NAMES:
        value = environment.get(f"PERFAGENT_{name.upper()}")
        if value:
            values[name] = value
    values.setdefault("machine_id", os.uname().nodename)
    return check(values)


def _read_file(path: str, *, required: bool) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        if required:
            raise ConfigError(f"PERFAGENT_CONFIG names {path}, and that file does not exist.") from None
        return ""
    except OSError as error:
        raise ConfigError(f"The file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"The file {path} cannot be read: {error}.") from None


def parse(text: str, path: str) -> dict[str, str]:
    """Lines `name = value`; `#`, `;` and `[section]` lines are passed over."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;[":
            continue
        name, equals, value = line.partition("=")
        name = name.strip().lower()
        if not equals or name not in _NAMES:
            raise ConfigError(f"{path}, line {number}: expected `name = value` with one of {', '.join(_NAMES)}.")
        values[name] = value.strip()
    return values


def check(values: Mapping[str, str]) -> Config:
    numbers = {name: _number(name, values[name]) for name in _NUMBERS if name in values}
    texts = {name: value for name, value in values.items() if name not in numbers}
    for name, value in texts.items():
        if not value.isprintable():
            raise ConfigError(f"{_setting(name)} holds a control character.")
    config = Config(**texts, **numbers)  # type: ignore[arg-type]  # the names are Config's own fields
    _check_url(config.url)
    _check_key(config.key)
    if not 1 <= len(config.machine_id) <= 255:
        raise ConfigError("PERFAGENT_MACHINE_ID must have 1 to 255 characters.")
    if not os.path.isabs(config.spool_dir):
        raise ConfigError("PERFAGENT_SPOOL_DIR must be an absolute path.")
    listen_address(config)
    return config


def _setting(name: str) -> str:
    return f"PERFAGENT_{name.upper()}"


def _number(name: str, text: str) -> float:
    low, high = _NUMBERS[name]
    wrong = f"{_setting(name)} must be a number from {low:g} to {high:g}, not {text!r}."
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        raise ConfigError(wrong)
    if not low <= float(text) <= high:
        raise ConfigError(wrong)
    return float(text)


def _check_url(url: str) -> None:
    if not url:
        return
    expected = "PERFAGENT_URL must look like https://host or https://host:port."
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match.group("port") or 443) <= 65_535:
        raise ConfigError(expected)


def _check_key(key: str) -> None:
    """Never shows the key."""
    if key and not re.fullmatch(r"[!-~]{8,512}", key):
        raise ConfigError("PERFAGENT_KEY is no key: 8 to 512 characters without spaces, as the portal showed it.")


def listen_address(config: Config) -> tuple[str, int]:
    host, colon, port = config.relay_listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"PERFAGENT_RELAY_LISTEN must be host:port, not {config.relay_listen!r}.")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - a relay is there to be reached


def need_portal(config: Config, *, key: bool = True) -> Config:
    """ConfigError when the settings for an upload are missing."""
    missing: str | None = None
    if not config.url:
        missing = "PERFAGENT_URL"
    elif key and not config.key:
        missing = "PERFAGENT_KEY"
    if missing:
        raise ConfigError(f"{missing} is not set: run `perfagent enrol URL TOKEN`, or set it in {DEFAULT_PATH}.")
    return config
