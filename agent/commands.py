"""The command line. Exit codes: 0 done, 1 not done, 2 wrong settings or usage; `check`: 0 OK, 1 warning, 2 critical."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Callable

from agent import __version__, clocks, config, logs, reading, sample, status
from agent.config import Config, ConfigError
from agent.spool import Spool, SpoolError

if TYPE_CHECKING:
    import argparse


_MODULES = {
    "doctor": ("agent.doctor", "say what is wrong here, and how to set it right"),
    "process": ("agent.process", "validate, merge, sort, dedupe, resample, split and convert CSV files"),
    "import-sar": ("agent.sar", "read the history that sysstat has of this machine"),
    "ctl": ("agent.ctl", "machines, uploads and exports through the portal's API"),
    "completion": ("agent.ctl_completion", "print the completion script of a shell"),
}
"""Commands with an argument parser of their own, by module, imported only when asked for."""


def main(arguments: list[str]) -> int:
    """`run` alone is told apart by hand: it stays in memory, and the parser would stay with it."""
    logs.start()
    try:
        if arguments == ["run"]:
            return run(None)
        if arguments and arguments[0] in _MODULES:
            return _run_module(arguments)
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except (ConfigError, SpoolError) as error:
        print(f"perfagent: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run_module(arguments: list[str]) -> int:
    from importlib import import_module

    command: Callable[[list[str]], int] = import_module(_MODULES[arguments[0]][0]).main
    return command(arguments[1:])


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(prog="perfagent", description="Measures this server and uploads the samples.")
    parser.add_argument("--version", action="version", version=f"perfagent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (_, text) in _MODULES.items():
        commands.add_parser(name, help=text, add_help=False)
    _add(commands, "run", run, "measure and upload until stopped; SIGHUP reloads the settings")
    once = _add(commands, "once", run_once, "take one sample and upload all that waits")
    once.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    _add(commands, "check", check, "one line and an exit code for monitoring")
    _add(commands, "relay", relay, "accept uploads of other agents and forward them")
    enrol = _add(commands, "enrol", enrol_machine, "register this machine and write the settings")
    enrol.add_argument("url", metavar="URL", help="the portal's address, https://host")
    enrol.add_argument("token", metavar="TOKEN", help="the enrolment token that the portal showed")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, command: object, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    parser.set_defaults(command=command)
    return parser


def _load() -> Config:
    return config.load(os.environ)


def run(options: argparse.Namespace | None) -> int:
    from agent.service import Service

    def reload() -> Config:
        return config.need_portal(_load())

    Service(reload(), reload).run()
    return 0


def _take_sample(settings: Config) -> dict[str, list[str]]:
    """CSV lines by dataset of the second after now."""
    roots = reading.Roots(settings.proc_root, settings.sys_root)
    scanner = reading.Scanner(roots, settings.processes >= 1)
    first = scanner.take()
    time.sleep(clocks.PRIMING_SECONDS)
    second = scanner.take()
    built = sample.build(first, second, settings.sample_seconds, int(settings.processes))
    for name, reason in second.failures.items():
        print(f"perfagent: the reader {name} fails, its columns stay empty: {reason}", file=sys.stderr)
    return sample.lines(built, settings.machine_id)


def run_once(options: argparse.Namespace) -> int:
    settings = _load()
    if options.dry_run:
        return _print_request(settings)
    config.need_portal(settings)
    spool = Spool(settings.spool_dir)
    spool.open()
    try:
        return _upload_once(spool, settings)
    finally:
        spool.close()


def _upload_once(spool: Spool, settings: Config) -> int:
    from agent.upload import drain

    try:
        spool.append(_take_sample(settings))
        spool.seal()
    except OSError as error:
        raise SpoolError(f"The spool {settings.spool_dir} cannot be written: {error.strerror}.") from None
    outcome = drain(spool, settings)
    waiting = len(spool.batches())
    print(f"Sent {outcome.sent_rows} rows in {outcome.sent_batches} batches; {waiting} batches wait.")
    if outcome.refused_batches:
        print(f"perfagent: {outcome.refused_batches} batches were refused and set aside.", file=sys.stderr)
    if outcome.failure:
        print(f"perfagent: {outcome.failure}", file=sys.stderr)
    return 1 if waiting or outcome.refused_batches else 0


def _print_request(settings: Config) -> int:
    """The request as it would go out, but with its key masked and its parts not compressed."""
    from agent import inventory, rows
    from agent.journal import Batch, Record, new_batch_id
    from agent.upload import PATH, request

    batch = Batch(new_batch_id(), rows.headers(), (Record(_take_sample(settings)),))
    notes = {"inventory": inventory.changed(settings, "")[0]}
    fields, body = request(batch, "pfa_…" if settings.key else "", notes)
    print(f"POST {settings.url or 'https://portal.example'}{PATH}")
    for name, value in fields.items():
        print(f"{name}: {value}")
    for name, text in notes.items():
        print(f"\n--- field {name}\n{text}")
    for name, text in batch.files().items():
        print(f"\n--- part {'file' if name == 'system' else name}: {name}.csv.gz, gzip of")
        print(text, end="")
    print(f"\n{len(body)} bytes, {batch.rows} rows; nothing was sent.")
    return 0


def check(options: argparse.Namespace) -> int:
    code, line = status.judge(status.read(_load().spool_dir))
    print(line)
    return code


def enrol_machine(options: argparse.Namespace) -> int:
    from agent.enrol import EnrolError, enrol

    try:
        path = enrol(options.url, options.token, os.environ)
    except EnrolError as error:
        print(f"perfagent: {error}", file=sys.stderr)
        return 1
    print(f"This machine is registered; the settings are in {path}. Now start: perfagent run")
    return 0


def relay(options: argparse.Namespace) -> int:
    from agent.relay import serve

    serve(config.need_portal(_load(), key=False))
    return 0
