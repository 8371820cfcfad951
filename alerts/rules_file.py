"""Rules as YAML: read with every mistake named by its place, written so that reading gives the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from django.db import models
from django.db.models.fields import NOT_PROVIDED

from alerts import rules
from alerts.models import Rule

VERSION = 1
MOST_BYTES, MOST_RULES = 262_144, 500
FIELDS = (
    "name", "shipped", "kind", "quantity", "comparison", "threshold", "clear_threshold", "least_deviation",
    "window_seconds", "grace_seconds", "severity", "machine_ids", "tags", "instance_pattern", "group_by",
    "repeat_minutes", "escalate_after_minutes", "enabled", "notes",
)  # fmt: skip
_NUMBERS = ("threshold", "clear_threshold", "least_deviation")


class RulesFileError(Exception):
    """`mistakes`: sentences that begin with the place, as `rules[2].threshold: …`; nothing was taken over."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


def read(text: str) -> list[Rule]:
    """Rules that are not in the database yet; RulesFileError names everything that is wrong."""
    document = _parse(text)
    entries = document["rules"]
    made = [_rule(entry, f"rules[{number}]") for number, entry in enumerate(entries)]
    mistakes = [mistake for _, found in made for mistake in found] + list(_doubles([rule for rule, _ in made]))
    if mistakes:
        raise RulesFileError(mistakes)
    return [rule for rule, _ in made]


def read_entry(entry: Mapping[str, Any]) -> Rule:
    """One rule, as an entry of a file says it; RulesFileError with `field: sentence` for each mistake."""
    rule, mistakes = _rule(entry, "rule")
    if mistakes:
        raise RulesFileError([mistake.removeprefix("rule.") for mistake in mistakes])
    return rule


def write(wanted: Sequence[Rule]) -> str:
    """YAML in the order of FIELDS; what has its default is left out."""
    document = {"version": VERSION, "rules": [dict(_said(rule)) for rule in wanted]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _said(rule: Rule) -> Iterator[tuple[str, Any]]:
    for name in FIELDS:
        value = getattr(rule, name)
        if value != _default(name):
            yield name, value


def _field(name: str) -> models.Field[Any, Any]:
    return Rule._meta.get_field(name)  # type: ignore[return-value]  # none of FIELDS is a relation


def _default(name: str) -> Any:
    default = _field(name).default
    if default is NOT_PROVIDED:
        return None if _field(name).null else ""
    return default() if callable(default) else default


def _parse(text: str) -> Mapping[str, Any]:
    if len(text.encode()) > MOST_BYTES:
        raise RulesFileError([f"The file is larger than {MOST_BYTES:,} bytes."])
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RulesFileError([f"This is no YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise RulesFileError(["The file is a mapping with `version` and a list `rules`."])
    if document.get("version") != VERSION:
        raise RulesFileError([f"version: only {VERSION} is known."])
    if len(document["rules"]) > MOST_RULES:
        raise RulesFileError([f"rules: more than {MOST_RULES}."])
    return document


def _rule(entry: Any, place: str) -> tuple[Rule, list[str]]:
    if not isinstance(entry, dict):
        return Rule(), [f"{place}: a rule is a mapping."]
    mistakes = [f"{place}.{name}: there is no such field." for name in entry if name not in FIELDS]
    known = {name: value for name, value in entry.items() if name in FIELDS}
    wrong = {name: sentence for name, value in known.items() if (sentence := _wrong_type(name, value))}
    mistakes += [f"{place}.{name}: {sentence}" for name, sentence in wrong.items()]
    rule = Rule(**{name: value for name, value in known.items() if name not in wrong})
    complaints = [one for one in rules.complaints(rule) if one.field not in wrong]
    return rule, mistakes + [f"{place}.{one.field}: {one.sentence}" for one in complaints]


def _wrong_type(name: str, value: Any) -> str:
    """What a field of YAML must be; empty where it is that."""
    field = _field(name)
    if value is None:
        return "" if field.null else "It may not be empty."
    if name in _NUMBERS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
        return "" if is_number else "It is a number."
    if isinstance(field, models.BooleanField):
        return "" if isinstance(value, bool) else "It is true or false."
    if isinstance(field, models.PositiveIntegerField):
        is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
        return "" if is_whole else "It is a whole number."
    if isinstance(field, models.JSONField):
        is_list = isinstance(value, list) and len(value) <= 1000 and all(isinstance(one, str) for one in value)
        return "" if is_list else "It is a list of words."
    if not isinstance(value, str) or "\0" in value:
        return "It is text."
    return f"It has {field.max_length} characters at most." if len(value) > (field.max_length or 2000) else ""


def _doubles(found: Sequence[Rule]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, rule in enumerate(found):
        if rule.name in seen:
            yield f"rules[{number}].name: {rule.name!r} is the name of rules[{seen[rule.name]}] already."
        seen[rule.name] = number
