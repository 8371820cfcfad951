"""Right-sizing: what the load asks for, and no word where it cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from reports.sizing import size
from reports.table import Machine, Samples
from tests.reports import machines
from tests.reports.machines import Columns


def machine(columns: Columns) -> Machine:
    numbers = {name: values for name, values in columns.items() if values.ndim == 1 and name != "timestamp"}
    return Machine("web-01", Samples(columns["timestamp"] * 1000, numbers, columns["cpu_cores"]))


def loaded(share: float, pressure: float = 1.0, used_mb: float = 9_000) -> Columns:
    """Busy at that share of four cores all the time."""
    columns = machines.healthy(days=4, interval=900)
    for name in ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq"):
        columns[name][:] = share / 4
    columns["psi_cpu_some"][:] = pressure
    columns["mem_used_mb"][:] = used_mb
    return columns


@pytest.mark.parametrize(
    ("share", "pressure", "suggested", "verdict"),
    [
        (4, 1, 1, "oversized"),
        (29, 1, 2, "oversized"),
        (40, 1, 4, "fits"),
        (75, 1, 8, "undersized"),
        (95, 40, None, "more than is there, by an amount that cannot be measured here"),
    ],
)
def test_cores_follow_the_load(share: float, pressure: float, suggested: float | None, verdict: str) -> None:
    found = size(machine(loaded(share, pressure))).cores
    assert found is not None
    assert found.present == 4
    assert found.used == pytest.approx(share / 25)
    assert (found.suggested, found.verdict) == (suggested, verdict)


@pytest.mark.parametrize(("used_mb", "verdict"), [(3_000, "oversized"), (9_000, "fits"), (15_000, "undersized")])
def test_memory_follows_its_use(used_mb: float, verdict: str) -> None:
    found = size(machine(loaded(40, used_mb=used_mb))).memory_mb
    assert found is not None
    assert found.verdict == verdict


def test_two_days_or_unknown_cores_are_not_sized() -> None:
    short = machines.healthy(days=2, interval=900)
    assert size(machine(short)).cores is None
    unknown = machines.healthy(days=7, interval=900)
    unknown["cpu_cores"] = np.full_like(unknown["cpu_cores"], np.nan)
    found = Machine("web-01", Samples(unknown["timestamp"] * 1000, {"cpu_user": unknown["cpu_user"]}))
    assert size(found).cores is None
