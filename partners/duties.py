"""What has to be done now and then for every partner; `manage.py work` does it.

An app declares its own in `duties.py` as `DUTIES`. Each works on the current tenant, is harmless when it is done twice,
and says what it did, if anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module

from django.apps import apps
from django.db import connection
from django.utils.module_loading import module_has_submodule

from partners.models import Partner

Stopped = Callable[[], bool]
_ADVISORY = 0x776F726B  # "work"


class StoppedError(Exception):
    """A duty noticed that it was asked to stop; what it had begun is rolled back."""


@dataclass(frozen=True)
class Duty:
    name: str
    every: timedelta
    run: Callable[[Partner, datetime, Stopped], str]


def declared() -> tuple[Duty, ...]:
    """The duties of all installed apps, in the order of INSTALLED_APPS."""
    found: list[Duty] = []
    for config in apps.get_app_configs():
        if config.module is not None and module_has_submodule(config.module, "duties"):
            found += getattr(import_module(f"{config.name}.duties"), "DUTIES", ())
    return tuple(found)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether no other process is at this duty for the current tenant; none begins while the block lasts."""
    key: list[int | str] = [_ADVISORY, name]
    mine = _fetch("SELECT pg_try_advisory_lock(%s, hashtext(current_schema() || ' ' || %s))", key)
    try:
        yield mine
    finally:
        if mine:
            _fetch("SELECT pg_advisory_unlock(%s, hashtext(current_schema() || ' ' || %s))", key)


def _fetch(statement: str, parameters: list[int | str]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        (value,) = cursor.fetchone()
    return bool(value)
