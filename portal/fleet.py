"""Page: every machine, with search, sort and a filter by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

from accounts import roles
from analysis import fleet as fleets
from analysis.fleet import Machine
from portal.access import PageRequest, page, wants_fragment
from portal.forms import STATES, FleetForm

Value = float | str | None


def _sampled(name: str) -> Callable[[Machine], Value]:
    return lambda machine: machine.values.get(name)


def _network(machine: Machine) -> Value:
    found = [machine.values.get(name) for name in ("net_rx_mb", "net_tx_mb")]
    seen = [value for value in found if value is not None]
    return sum(seen) if seen else None


def _pressure(machine: Machine) -> Value:
    found = [machine.values.get(f"psi_{resource}_some") for resource in ("cpu", "memory", "io")]
    return max((value for value in found if value is not None), default=None)


def _last_seen(machine: Machine) -> Value:
    return machine.collector.last_seen.timestamp() if machine.collector.last_seen else None


@dataclass(frozen=True)
class Column:
    """One column of the table: key in the address, title, what it sorts by, and whether the largest comes first."""

    key: str
    title: str
    value: Callable[[Machine], Value]
    largest_first: bool = True
    hint: str = ""
    unit: str = ""


COLUMNS = (
    Column("name", "Machine", lambda machine: machine.collector.machine_id.lower(), largest_first=False),
    Column("state", "State", lambda machine: STATES.index(machine.state), hint="Worst first"),
    Column("cpu", "CPU", lambda machine: machine.cpu_percent, hint="Busy, % of all CPUs; the line is 24 h"),
    Column("memory", "Memory", lambda machine: machine.memory_percent, hint="Used, % of memory; cache is not used"),
    Column("disk", "Disk", _sampled("disk_io_util"), hint="Busiest disk, % of time; mean time of an I/O"),
    Column("network", "Network", _network, hint="Received and sent", unit="MB/s"),
    Column(
        "pressure",
        "Pressure",
        _pressure,
        hint="PSI: share of time in which a task waited for CPU, memory, I/O",
        unit="%",
    ),
    Column("load", "Load", _sampled("load_1min"), hint="Tasks running or waiting for disk, 1 min"),
    Column("seen", "Last seen", _last_seen, hint="When its last batch was stored"),
)
_BY_KEY = {column.key: column for column in COLUMNS}


@dataclass(frozen=True)
class View:
    """What the address asks for: text to search, a state or all, a column and its direction."""

    search: str = ""
    state: str = ""
    column: Column = COLUMNS[0]
    reverse: bool = False

    @staticmethod
    def of(query: QueryDict) -> View:
        """Anything that is not understood is left at its default."""
        form = FleetForm(query)
        form.is_valid()
        asked = form.cleaned_data
        sort = asked.get("sort", "")
        column = _BY_KEY.get(sort.removeprefix("-"), COLUMNS[0])
        return View(asked.get("q", ""), asked.get("state", ""), column, sort.startswith("-"))

    @property
    def sort(self) -> str:
        return f"-{self.column.key}" if self.reverse else self.column.key

    def matches(self, machine: Machine) -> bool:
        collector = machine.collector
        texts = (collector.machine_id, collector.hostname, collector.ip_address or "", *map(str, collector.tags))
        return not self.search or any(self.search.lower() in text.lower() for text in texts)

    def ordered(self, machines: list[Machine]) -> list[Machine]:
        """By the column; machines without a value come last in either direction."""
        keyed = [(self.column.value(machine), machine) for machine in machines]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.column.largest_first != self.reverse)  # type: ignore[arg-type,return-value]  # one column, one type
        return [machine for _, machine in known] + [machine for value, machine in keyed if value is None]


@dataclass(frozen=True)
class Heading:
    """A column's head: where a click leads, and the order now (`ascending`, `descending` or empty)."""

    column: Column
    sort: str
    order: str


@page(roles.SEE)
def fleet(request: PageRequest) -> HttpResponse:
    """The whole page, or for htmx the part that refreshes."""
    view = View.of(request.GET)
    machines = fleets.machines(timezone.now())
    found = [machine for machine in machines if view.matches(machine)]
    counts = Counter(machine.state for machine in found)
    shown = view.ordered([machine for machine in found if view.state in ("", machine.state)])
    context = {
        "view": view,
        "registered": len(machines),
        "machines": shown,
        "headings": [_heading(column, view) for column in COLUMNS],
        "states": [("", "All", len(found)), *((state, state, counts[state]) for state in STATES)],
    }
    return render(request, "portal/fleet_table.html" if wants_fragment(request) else "portal/fleet.html", context)


def _heading(column: Column, view: View) -> Heading:
    if column is not view.column:
        return Heading(column, column.key, "")
    turned = column.key if view.reverse else f"-{column.key}"
    descending = column.largest_first != view.reverse
    return Heading(column, turned, "descending" if descending else "ascending")
