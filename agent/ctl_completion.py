"""`completion bash`, `zsh` or `fish`: commands, actions and options, taken from the parsers themselves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Callable

from agent import commands

_BASH = """\
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


_ZSH = """\
#compdef perfagent
# zsh completion for perfagent, after compinit:  source <(perfagent completion zsh)
_perfagent() {
    local word where=perfagent
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$where $word" in
            %s) where="$where $word" ;;
        esac
    done
    case "$where" in
%s
    esac
}
compdef _perfagent perfagent
"""

_FISH = """\
# fish completion for perfagent:  perfagent completion fish | source
function __perfagent_where
    set -l where perfagent
    for word in (commandline -opc)[2..-1]
        switch "$where $word"
            case %s
                set where "$where $word"
        end
    end
    echo $where
end
%s
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="perfagent completion", description="Prints a completion script.")
    parser.add_argument("shell", choices=_SCRIPTS)
    sys.stdout.write(script(parser.parse_args(arguments).shell))
    return 0


def script(shell: str) -> str:
    """For bash, zsh or fish."""
    template, between, case = _SCRIPTS[shell]
    words = dict(_words("perfagent", commands._parser()))
    paths = between.join(f'"{path}"' for path in words if path != "perfagent")
    return template % (paths, "\n".join(case(path, members) for path, members in words.items()))


def _bash_case(path: str, words: list[str]) -> str:
    return f'        "{path}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "${{COMP_WORDS[COMP_CWORD]}}")) ;;'


def _zsh_case(path: str, words: list[str]) -> str:
    return f'        "{path}") compadd -- {" ".join(words)} || _files ;;'


def _fish_case(path: str, words: list[str]) -> str:
    """Commands and options apart: what -a lists beside -l would be values of those options."""
    start = f"complete -c perfagent -n 'test (__perfagent_where) = \"{path}\"'"
    names = " ".join(word for word in words if not word.startswith("--"))
    options = "".join(f" -l {word[2:]}" for word in words if word.startswith("--"))
    return f"{start} -f -a '{names}'\n{start}{options}" if names else start + options


_SCRIPTS: dict[str, tuple[str, str, Callable[[str, list[str]], str]]] = {
    "bash": (_BASH, " | ", _bash_case),
    "zsh": (_ZSH, " | ", _zsh_case),
    "fish": (_FISH, " ", _fish_case),
}
"""Template, what stands between its paths, and the line of one path."""


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
