"""For the benchmarks: partners and machines made straight in the database of a running portal, and figures."""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.live.portal import RunningPortal


@dataclass(frozen=True)
class Machine:
    """A registered machine: its partner, its row, and its bearer key."""

    schema: str
    pk: int
    machine_id: str
    key: str


def connect(portal: RunningPortal) -> None:
    """Set this process up as Django on the portal's database. Once, before the first import of a model."""
    folder = Path(tempfile.mkdtemp(prefix="perfanalysis-bench-"))
    database = f"postgres://postgres@/{quote(portal.socket)}/postgres"
    os.environ.update(DATA_DIR=str(folder), DATABASE_URL=database, HTTPS="false", LOG_LEVEL="ERROR")
    os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings"
    import django

    django.setup()
    logging.getLogger("perfanalysis.audit").setLevel("ERROR")


def open_partner(name: str) -> None:
    from accounts.opening import Opening
    from accounts.opening import open_partner as opened

    opened(Opening(name, f"{name}.localhost", f"admin@{name}.example", "correct horse battery"))


def register(schema: str, count: int, first: int = 0) -> list[Machine]:
    """Machines `bench0` … of a partner."""
    from collectors import registry
    from core.tenancy import schema_context

    with schema_context(schema):
        made = [registry.register(f"bench{first + i}", "", actor="bench", ip=None) for i in range(count)]
    return [Machine(schema, collector.pk, collector.machine_id, str(key)) for collector, key in made]


def fleet(portal: RunningPortal, partners: int, machines: int) -> list[Machine]:
    """That many machines, spread evenly over that many new partners; the partners take turns in the list."""
    from django.db import connection

    names = [f"bench{number}" for number in range(partners)]
    for name in names:
        open_partner(name)
    made = [register(name, machines // partners) for name in names]
    connection.close()
    return [machine for turn in zip(*made, strict=True) for machine in turn]


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
