"""Page: every machine, with search, filters by state and tag, order, groups by tag; in pages when there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

from accounts import roles
from alerts.models import Alert
from analysis import fleet as fleets
from analysis.fleet import Machine
from portal.access import PageRequest, page, wants_fragment
from portal.fleet_columns import BY_KEY, COLUMNS, Column, Row
from portal.forms import STATES, FleetForm

PAGE_SIZE = 100
BY_TAG = "tag"
"""Groups by whole tags; any other grouping is by the values of one key, as `site` of `site:berlin`."""
UNTAGGED = "Without a tag"


@dataclass(frozen=True)
class View:
    """What the address asks for: text to search, a state and a tag or all, groups, a column and its direction."""

    search: str = ""
    state: str = ""
    tag: str = ""
    group: str = ""
    column: Column = COLUMNS[0]
    reverse: bool = False

    @staticmethod
    def of(query: QueryDict) -> View:
        """Anything that is not understood is left at its default."""
        form = FleetForm(query)
        form.is_valid()
        asked = form.cleaned_data
        sort = asked.get("sort", "")
        column = BY_KEY.get(sort.removeprefix("-"), COLUMNS[0])
        search, state, tag, group = (asked.get(name, "") for name in ("q", "state", "tag", "group"))
        return View(search, state, tag, group, column, sort.startswith("-"))

    @property
    def sort(self) -> str:
        return f"-{self.column.key}" if self.reverse else self.column.key

    @property
    def query(self) -> str:
        """The address of this view, without its page."""
        named = {"q": self.search, "state": self.state, "tag": self.tag, "group": self.group, "sort": self.sort}
        return urlencode({name: value for name, value in named.items() if value and (name, value) != ("sort", "name")})

    def matches(self, machine: Machine) -> bool:
        collector = machine.collector
        if self.tag and self.tag not in collector.tags:
            return False
        texts = (collector.machine_id, collector.hostname, collector.ip_address or "", *map(str, collector.tags))
        return not self.search or any(self.search.lower() in text.lower() for text in texts)

    def ordered(self, machines: Iterable[Machine]) -> list[Machine]:
        """By the column; machines without a value come last in either direction."""
        keyed = [(self.column.value(machine), machine) for machine in machines]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.column.largest_first != self.reverse)  # type: ignore[arg-type,return-value]  # one column, one type
        return [machine for _, machine in known] + [machine for value, machine in keyed if value is None]

    def groups(self, machine: Machine) -> list[str]:
        """Those in which it stands; one without a name when nothing is grouped."""
        if not self.group:
            return [""]
        if self.group == BY_TAG:
            return list(machine.collector.tags) or [UNTAGGED]
        start = f"{self.group}:"
        return [tag.removeprefix(start) for tag in machine.collector.tags if tag.startswith(start)] or [UNTAGGED]


@dataclass(frozen=True)
class Heading:
    """A column's head: where a click leads, and the order now (`ascending`, `descending` or empty)."""

    column: Column
    query: str
    order: str


@dataclass(frozen=True)
class Group:
    """Machines below one heading: those on this page, and of all of them how many there are in which state."""

    title: str
    states: list[tuple[str, int]]
    rows: list[Row]

    @property
    def size(self) -> int:
        return sum(count for _, count in self.states)


@page(roles.SEE)
def fleet(request: PageRequest) -> HttpResponse:
    """The whole page, or for htmx the part that refreshes."""
    view, now = View.of(request.GET), timezone.now()
    alerts = Alert.objects.loud().by_machine()
    machines = [replace(one, alerts=alerts.get(one.collector.machine_id, ())) for one in fleets.machines(now)]
    found = [machine for machine in machines if view.matches(machine)]
    placed = _placed(view, [machine for machine in found if view.state in ("", machine.state)])
    shown = Paginator(placed, PAGE_SIZE).get_page(request.GET.get("page"))
    tags = sorted({tag for machine in machines for tag in machine.collector.tags})
    context = {
        "view": view, "registered": len(machines), "found": shown, "groups": _groups(view, placed, shown, now),
        "columns": COLUMNS, "headings": [_heading(column, view) for column in COLUMNS],
        "states": _states(view, found), "tags": tags, "groupings": _groupings(tags),
    }  # fmt: skip
    return render(request, "portal/fleet_table.html" if wants_fragment(request) else "portal/fleet.html", context)


Placed = tuple[str, Machine]


def _placed(view: View, machines: Sequence[Machine]) -> list[Placed]:
    """Each machine once in each of its groups; groups by name, those without a tag last."""
    pairs = [(group, machine) for machine in view.ordered(machines) for group in view.groups(machine)]
    return sorted(pairs, key=lambda pair: (pair[0] == UNTAGGED, pair[0]))


def _groups(view: View, placed: Sequence[Placed], shown: Page[Placed], now: datetime) -> list[Group]:
    sparks = fleets.sparks(now, sorted({machine.collector.pk for _, machine in shown}))
    counts = Counter((title, machine.state) for title, machine in placed)
    made = []
    for number, (title, members) in enumerate(groupby(shown, key=lambda pair: pair[0])):
        mark = f"-{number}" if view.group else ""
        rows = [Row(machine, sparks[machine.collector.pk], mark) for _, machine in members]
        made.append(Group(title, [(state, counts[title, state]) for state in STATES if counts[title, state]], rows))
    return made


def _states(view: View, found: Sequence[Machine]) -> list[tuple[str, str, int, str]]:
    """key, title, how many, address: all, and each state that occurs or is chosen."""
    counts = Counter(machine.state for machine in found)
    listed = [("", "All", len(found)), *((state, state, counts[state]) for state in STATES)]
    return [
        (key, title, count, replace(view, state=key).query)
        for key, title, count in listed
        if count or not key or key == view.state
    ]


def _groupings(tags: Iterable[str]) -> list[tuple[str, str]]:
    """By tag, and by each key of tags written as `key:value`."""
    keys = sorted({tag.partition(":")[0] for tag in tags if ":" in tag} - {"", BY_TAG})
    return [(BY_TAG, "tag"), *((key, key) for key in keys)]


def _heading(column: Column, view: View) -> Heading:
    turned = replace(view, column=column, reverse=column is view.column and not view.reverse)
    if column is not view.column:
        return Heading(column, turned.query, "")
    descending = column.largest_first != view.reverse
    return Heading(column, turned.query, "descending" if descending else "ascending")
