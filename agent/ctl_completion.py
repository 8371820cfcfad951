"""`completion bash`: commands, actions and options, taken from the parsers themselves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module

from agent import commands

_SCRIPT = """\
# bash completion for perfagent:  source <(perfagent completion bash)
_perfagent() {
    local word path=perfagent
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $word" in
%s) path="$path $word" ;;
        esac
    done
    case "$path" in
%s
    esac
    [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _perfagent perfagent
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="perfagent completion", description="Prints a completion script.")
    parser.add_argument("shell", choices=("bash",))
    parser.parse_args(arguments)
    sys.stdout.write(bash())
    return 0


def bash() -> str:
    words = dict(_words("perfagent", commands._parser()))
    paths = " | ".join(f'"{path}"' for path in words if path != "perfagent")
    cases = "\n".join(_case(path, members) for path, members in words.items())
    return _SCRIPT % (" " * 12 + paths, cases)


def _case(path: str, words: list[str]) -> str:
    return f'        "{path}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "${{COMP_WORDS[COMP_CWORD]}}")) ;;'


def _words(path: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[str]]]:
    """What may follow each path of commands."""
    subs: dict[str, argparse.ArgumentParser] = {}
    options: list[str] = []
    for action in parser._actions:
        options += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            subs.update(action.choices)
    yield path, [*subs, *options]
    for name, sub in subs.items():
        yield from _words(f"{path} {name}", _own_parser(name, sub) if path == "perfagent" else sub)


def _own_parser(name: str, stub: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Of a command with a module of its own, that module's."""
    if name not in commands._MODULES:
        return stub
    module = import_module(commands._MODULES[name][0])
    parser: argparse.ArgumentParser = getattr(module, "parser", lambda: stub)()
    return parser
