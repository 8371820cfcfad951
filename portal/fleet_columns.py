"""The columns of the fleet, declared: what each sorts by, and how its cell is written.

Cells are written here and not in a template, because a hundred machines have a thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alerts.models import Severity
from analysis.fleet import Line, Machine, Sparks
from portal.forms import STATES
from portal.templatetags.figures import DASH, amount, bar, moment, sparkline

Value = float | str | None


@dataclass(frozen=True)
class Row:
    """A machine as one line of the page; `mark` tells its ids apart where it stands in several groups."""

    machine: Machine
    sparks: Sparks
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """Key in the address and class of the cell, title, what it sorts by, its cell, and whether the largest comes first.

    Without a label the cell says by itself what it is, also where the table is a list of cards.
    """

    key: str
    title: str
    value: Callable[[Machine], Value]
    cell: Callable[[Row], str]
    largest_first: bool = True
    hint: str = ""
    unit: str = ""
    labelled: bool = True


def _sampled(name: str) -> Callable[[Machine], Value]:
    return lambda machine: machine.values.get(name)


def _network(machine: Machine) -> Value:
    seen = [value for name in ("net_rx_mb", "net_tx_mb") if (value := machine.values.get(name)) is not None]
    return sum(seen) if seen else None


def _pressure(machine: Machine) -> Value:
    found = (machine.values.get(f"psi_{resource}_some") for resource in ("cpu", "memory", "io"))
    return max((value for value in found if value is not None), default=None)


def _last_seen(machine: Machine) -> Value:
    return machine.collector.last_seen.timestamp() if machine.collector.last_seen else None


def _name_cell(row: Row) -> SafeString:
    collector = row.machine.collector
    link = format_html(
        '<a id="machine-{}{}" href="{}">{}</a>',
        collector.machine_id, row.mark, reverse("machine", args=[collector.machine_id]), collector.machine_id,
    )  # fmt: skip
    host = collector.hostname if collector.hostname != collector.machine_id else ""
    sub = format_html('<span class="sub" dir="auto">{}</span>', host) if host else ""
    tags = format_html_join("", '<li dir="auto">{}</li>', ((tag,) for tag in collector.tags))
    listed = format_html('<ul class="tags">{}</ul>', tags) if tags else ""
    return format_html('<div class="who-is">{}{}{}</div>', link, listed, sub)


_MARKS = {
    "live": '<circle cx="6" cy="6" r="4.5"/>', "late": '<path d="M6 1 11.2 10.5H.8Z"/>',
    "silent": '<path d="M2 2 10 10M10 2 2 10"/>', "never": '<circle class="hollow" cx="6" cy="6" r="4"/>',
}  # fmt: skip
STATE_BADGES = {
    state: format_html(
        '<span class="state {}"><svg viewBox="0 0 12 12" aria-hidden="true">{}</svg>{}</span>',
        state, SafeString(mark), state,
    )
    for state, mark in _MARKS.items()
}  # fmt: skip


def _share(value: float | None) -> SafeString:
    """A percentage, or a dash."""
    return format_html("<b>{}<i>%</i></b>", amount(value)) if value is not None else format_html("<b>{}</b>", DASH)


def _line_cell(value: float | None, line: Line, label: str) -> SafeString:
    return format_html('<span class="reading">{}{}</span>', _share(value), sparkline(line, f"{label}, last 24 h"))


def _gauge_cell(value: float | None, sub: str) -> SafeString:
    beside = format_html('<span class="sub" dir="auto">{}</span>', sub) if sub else ""
    return format_html('<span class="gauge">{}{}</span>{}', _share(value), bar(value), beside)


def _fullest_cell(row: Row) -> SafeString:
    fullest = row.machine.fullest
    return _gauge_cell(fullest.used_percent, fullest.mount) if fullest else _gauge_cell(None, "")


def _disk_cell(row: Row) -> SafeString:
    values = row.machine.values
    waits = values.get("disk_await_ms")
    return _gauge_cell(values.get("disk_io_util"), f"{amount(waits)} ms" if waits is not None else "")


def _network_cell(row: Row) -> SafeString:
    values = row.machine.values
    return format_html(
        '<span class="pair"><span><i>↓</i> {}</span><span><i>↑</i> {}</span></span><span class="sub">MB/s</span>',
        amount(values.get("net_rx_mb")), amount(values.get("net_tx_mb")),
    )  # fmt: skip


def _pressure_cell(row: Row) -> SafeString:
    names = (("cpu", "psi_cpu_some"), ("mem", "psi_memory_some"), ("io", "psi_io_some"))
    cells = ((title, amount(row.machine.values.get(name))) for title, name in names)
    return format_html('<span class="triple">{}</span>', format_html_join("", "<span><i>{}</i> {}</span>", cells))


def _gravity(machine: Machine) -> Value:
    """Worse alerts first, and of the same severity more of them."""
    return sum(1000**rank for rank in map(Severity.values.index, machine.alerts)) if machine.alerts else None


def _alerts_cell(row: Row) -> str:
    alerts = row.machine.alerts
    if not alerts:
        return format_html('<span class="quiet" aria-label="no open alert">{}</span>', DASH)
    address = reverse("machine", args=[row.machine.collector.machine_id])
    told = f"{len(alerts)} open alert{'s' if len(alerts) > 1 else ''}, the worst {alerts[0]}"
    return format_html('<a class="severity {}" href="{}" title="{}">{}</a>', alerts[0], address, told, len(alerts))


COLUMNS = (
    Column("name", "Machine", lambda machine: machine.collector.machine_id.lower(), _name_cell, largest_first=False),
    Column(
        "state", "State", lambda machine: STATES.index(machine.state), lambda row: STATE_BADGES[row.machine.state],
        hint="Worst first", labelled=False,
    ),
    Column("alerts", "Alerts", _gravity, _alerts_cell, hint="Open ones; the worst first"),
    Column(
        "cpu", "CPU", lambda machine: machine.cpu_percent,
        lambda row: _line_cell(row.machine.cpu_percent, row.sparks.cpu, "CPU busy"),
        hint="Busy, % of all CPUs; the line is 24 h",
    ),
    Column(
        "memory", "Memory", lambda machine: machine.memory_percent,
        lambda row: _line_cell(row.machine.memory_percent, row.sparks.memory, "Memory used"),
        hint="Used, % of memory; cache is not used. The line is 24 h",
    ),
    Column(
        "fullest", "Fullest disk", lambda machine: machine.fullest.used_percent if machine.fullest else None,
        _fullest_cell, hint="The filesystem with the largest share in use",
    ),
    Column(
        "disk", "Disk busy", _sampled("disk_io_util"), _disk_cell, hint="Busiest disk, % of time; mean time of an I/O"
    ),
    Column("network", "Network", _network, _network_cell, hint="Received and sent", unit="MB/s"),
    Column(
        "pressure", "Pressure", _pressure, _pressure_cell, unit="%",
        hint="PSI: share of time in which a task waited for CPU, memory, I/O",
    ),
    Column(
        "load", "Load", _sampled("load_1min"), lambda row: amount(row.machine.values.get("load_1min")),
        hint="Tasks running or waiting for disk, 1 min",
    ),
    Column(
        "seen", "Last seen", _last_seen, lambda row: moment(row.machine.collector.last_seen),
        hint="When its last batch was stored",
    ),
)  # fmt: skip
BY_KEY = {column.key: column for column in COLUMNS}
