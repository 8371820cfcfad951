"""`ctl`: machines, uploads and exports through the portal's API, with a personal token.

Exit codes: 0 done; 1 the portal says no, its code and sentence are printed; 2 wrong usage or settings; 3 the portal
could not be reached, or what answers is not it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from agent import ctl_report, ctl_table, ending
from agent.ctl_client import RefusedError, UnreachableError, connect
from agent.ctl_upload import send_file
from agent.process_reading import DataError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_PIECE_BYTES = 1 << 16


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    return ending.of(lambda: _done(options), {RefusedError: 1, DataError: 1, UnreachableError: 3})


def _done(options: argparse.Namespace) -> int:
    options.command(options)
    return 0


def parser() -> argparse.ArgumentParser:
    text = "Works with the portal's API. PERFAGENT_TOKEN is a personal token, PERFAGENT_URL the portal."
    top = argparse.ArgumentParser(prog="perfagent ctl", description=text)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    collectors = commands.add_parser("collectors", help="the registered machines")
    actions = collectors.add_subparsers(required=True, metavar="ACTION")
    listing = _add(actions, "list", list_collectors, "all machines, or those of one state")
    listing.add_argument("--state", choices=("live", "late", "silent", "never", "retired"))
    _add(actions, "show", show, "one machine with its inventory").add_argument("machine_id")
    registering = _add(actions, "register", register, "a new machine; prints its key, which is shown once")
    registering.add_argument("machine_id")
    registering.add_argument("--hostname", default="")
    _add(actions, "rotate", rotate, "a new key; the old one works for a while").add_argument("machine_id")
    _add(actions, "revoke", revoke, "all keys stop at once, the samples stay").add_argument("machine_id")
    uploading = _add(commands, "upload", upload, "CSV files, with the machine's own key (PERFAGENT_KEY)")
    uploading.add_argument("files", nargs="+", metavar="FILE", help="CSV, or gzip of it; - is standard input")
    _add_export(commands)
    ctl_report.add_options(_add(commands, "report", report, "a report, made by the portal; waits until it is there"))
    return top


def _add(commands: Commands, name: str, command: object, text: str) -> argparse.ArgumentParser:
    sub = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    sub.set_defaults(command=command)
    sub.add_argument("--url", default="", help="instead of PERFAGENT_URL")
    if name != "export":
        sub.add_argument("--json", action="store_true", help="the portal's own answer, for scripts")
    return sub


def _add_export(commands: Commands) -> None:
    sub = _add(commands, "export", export, "samples as CSV, JSON or Parquet")
    sub.add_argument("--start", required=True, metavar="DATE", help="YYYY-MM-DD, or an instant (RFC 3339)")
    sub.add_argument("--end", required=True, metavar="DATE", help="a date is included, an instant is not")
    sub.add_argument("--machine-id", action="append", default=[], help="may be given again; all machines without it")
    sub.add_argument("--metrics", default="", help="names or groups, separated by commas; all without it")
    sub.add_argument("--dataset", default="system")
    sub.add_argument("--format", default="csv", choices=("csv", "json", "parquet"))
    sub.add_argument("-o", "--output", metavar="FILE", help="standard output without it")


def _ask(options: argparse.Namespace, method: str, path: str, content: Any = None) -> Any:
    return connect(os.environ, options.url, as_machine=False).ask(method, path, content)


def _print_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _machine_path(machine_id: str, action: str = "") -> str:
    return f"collectors/{quote(machine_id, safe='')}{action}"


def list_collectors(options: argparse.Namespace) -> None:
    answer = _ask(options, "GET", "collectors")
    if options.state:
        answer["collectors"] = [row for row in answer["collectors"] if row["state"] == options.state]
    if options.json:
        return _print_json(answer)
    return print(ctl_table.table(answer["collectors"], ("machine_id", "state", "last_seen", "hostname", "tags")))


def show(options: argparse.Namespace) -> None:
    answer = _ask(options, "GET", _machine_path(options.machine_id))
    return _print_json(answer) if options.json else print(ctl_table.record(answer))


def register(options: argparse.Namespace) -> None:
    content = {"machine_id": options.machine_id, "hostname": options.hostname}
    _print_key(options, _ask(options, "POST", "collectors/register", content), "is registered")


def rotate(options: argparse.Namespace) -> None:
    answer = _ask(options, "POST", _machine_path(options.machine_id, "/rotate-key"))
    _print_key(options, answer, "has a new key")


def _print_key(options: argparse.Namespace, answer: Any, done: str) -> None:
    """The key alone on standard output, so that it can be piped on."""
    if options.json:
        return _print_json(answer)
    print(f"{ctl_table.clean(answer['machine_id'])} {done}; it is shown only now:", file=sys.stderr)
    return print(ctl_table.clean(answer["api_key"]))


def revoke(options: argparse.Namespace) -> None:
    answer = _ask(options, "DELETE", _machine_path(options.machine_id))
    if options.json:
        return _print_json(answer)
    return print(f"{ctl_table.clean(answer['machine_id'])} is retired: its keys stopped, its samples stay.")


def upload(options: argparse.Namespace) -> None:
    client = connect(os.environ, options.url, as_machine=True)
    answers = [answer for path in options.files for answer in send_file(client, path, _tell)]
    if options.json:
        _print_json({"uploads": answers})


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def report(options: argparse.Namespace) -> None:
    made = ctl_report.run(options)
    if options.json:
        return _print_json(made)
    saved = [target for name in ctl_report.FORMS if (target := getattr(options, name)) and target != "-"]
    return _tell(f"Report {ctl_table.clean(made['id'])} is made{': ' if saved else ''}{', '.join(saved)}.")


def export(options: argparse.Namespace) -> None:
    query = {
        "start_date": options.start,
        "end_date": options.end,
        "machine_id": options.machine_id,
        "metrics": options.metrics,
        "dataset": options.dataset,
        "format": options.format,
    }
    path = f"performance/export?{urlencode(query, doseq=True)}"
    client = connect(os.environ, options.url, as_machine=False)
    with client.open("GET", path, {}) as response, ctl_table.binary_output(options.output) as write:
        while True:
            piece = response.read(_PIECE_BYTES)
            if not piece:
                break
            write(piece)
