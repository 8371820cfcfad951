"""`doctor`: what the agent sees, reaches and would send here, in plain words, with a fix for each problem.

Exit codes: 0 all is well; 1 there is at least one problem; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from agent import __version__, config, doctor_machine, doctor_portal, doctor_spool
from agent.config import Config, ConfigError
from agent.doctor_finding import GOOD, NOTE, PROBLEM, Finding

_WORDS = {GOOD: "ok", NOTE: "note", PROBLEM: "PROBLEM"}


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    findings = examine(os.environ, offline=options.offline)
    found = _print_json(findings) if options.json else _print_text(findings)
    return 1 if any(finding.level == PROBLEM for finding in found) else 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="perfagent doctor", description="Says what is wrong here, and how to fix it.")
    top.add_argument("--json", action="store_true", help="for programs")
    top.add_argument("--offline", action="store_true", help="ask the portal nothing")
    return top


def examine(environment: Mapping[str, str], *, offline: bool) -> Iterator[Finding]:
    yield Finding(GOOD, f"perfagent {__version__} on Python {sys.version.split()[0]}, as {_user()}.")
    path = config.config_path(environment)
    try:
        settings = config.load(environment)
    except ConfigError as error:
        yield Finding(PROBLEM, str(error), _settings_fix(path))
        return
    yield from check_settings(settings, path)
    yield from doctor_machine.examine(settings)
    yield from doctor_spool.examine(settings)
    if settings.url and not offline:
        yield from doctor_portal.examine(settings)


def _settings_fix(path: str) -> str:
    if os.path.exists(path) and not os.access(path, os.R_OK):
        return "Run the doctor as root; if the agent itself says so, make the file its user's own, mode 0600."
    return "Set it right; every setting is in docs/agent.md."


def _user() -> str:
    return "root" if os.geteuid() == 0 else f"user id {os.geteuid()}"


def check_settings(settings: Config, path: str) -> Iterator[Finding]:
    yield from _check_file(path)
    if not settings.url or not settings.key:
        missing = "portal" if not settings.url else "key"
        yield Finding(
            PROBLEM, f"No {missing} is set, so nothing can be sent.",
            "Make a token on the portal's page Add a machine, then: perfagent enrol URL TOKEN",
        )  # fmt: skip
        return
    yield Finding(GOOD, f"Sends to {settings.url} as machine {settings.machine_id}, key {_masked(settings.key)}.")
    host = settings.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    if settings.url.startswith("http://") and not _is_local(host):
        yield Finding(
            NOTE, "The portal's address is http://: key and samples cross the network in clear.", "Use https://."
        )


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    return name in ("localhost", "127.0.0.1", "[::1]") or name.endswith(".localhost")


def _masked(key: str) -> str:
    """The public part, which the portal shows too."""
    prefix, _, rest = key.partition("_")
    return f"{prefix}_{rest.partition('_')[0]}_…" if "_" in rest else "…"


def _check_file(path: str) -> Iterator[Finding]:
    try:
        info = os.stat(path)
    except OSError as error:
        yield Finding(NOTE, f"The settings file {path} is not read ({error.strerror}): they come from the environment.")
        return
    if not stat.S_ISREG(info.st_mode):
        yield Finding(NOTE, f"{path} is no file: the settings come from the environment.")
        return
    mode = stat.S_IMODE(info.st_mode)
    if mode & 0o077:
        yield Finding(PROBLEM, f"{path} holds the key and others may read it (mode {mode:04o}).", f"chmod 600 {path}")
    else:
        yield Finding(GOOD, f"Settings from {path}, mode {mode:04o}.")


def _print_text(findings: Iterable[Finding]) -> list[Finding]:
    found = []
    for finding in findings:
        found.append(finding)
        print(f"{_WORDS[finding.level]:8} {finding.text}", flush=True)
        if finding.fix:
            print(f"{'':8} → {finding.fix}")
    problems = sum(finding.level == PROBLEM for finding in found)
    print(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'}.")
    return found


def _print_json(findings: Iterable[Finding]) -> list[Finding]:
    found = list(findings)
    print(json.dumps({"findings": [asdict(finding) for finding in found]}, ensure_ascii=False, indent=2))
    return found
