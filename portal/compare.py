"""Page: machines over one period, or one machine over two, with what really differs and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts import roles
from analysis import retention
from portal import comparing
from portal.access import PageRequest, page
from portal.compare_form import HOW, CompareForm
from portal.comparing import Found, Question, Side
from portal.panels import HEIGHT
from reports import charts
from reports.comparison import Compared
from reports.measures import Measure
from reports.wording import count, number

ZONES = sorted(name for name in available_timezones() if "/" in name or name == "UTC")


SAID = 3
"""Real changes that the headline tells; the table has them all."""


@dataclass(frozen=True)
class Line:
    """One row of the table: a measure, one side against the first. compared None: no answer."""

    measure: Measure
    other: str
    compared: Compared | None

    @property
    def cells(self) -> tuple[str, ...]:
        """Levels, change, interval; those that a table shows in figures."""
        if self.compared is None:
            return ()
        found, unit = self.compared, self.measure.unit
        interval = f"{_signed(found.low)} to {_signed(found.high)}"
        return (
            number(found.before, unit),
            number(found.after, unit),
            f"{_signed(found.change)}{_share(found)}",
            interval,
        )

    @property
    def delta(self) -> str:
        return f"{self.compared.delta:+.2f}".replace("-", "−") if self.compared else ""

    @property
    def whisker(self) -> tuple[float, float, float] | None:
        """Interval and change in percent of the former level, for the drawing."""
        found = self.compared
        if found is None or not found.before:
            return None
        return (
            found.low / abs(found.before) * 100,
            found.change / abs(found.before) * 100,
            found.high / abs(found.before) * 100,
        )


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{number(abs(value))}"


def _share(found: Compared) -> str:
    return f" ({found.change / abs(found.before) * 100:+.0f} %)".replace("-", "−") if found.before else ""


@page(roles.SEE)
def compare(request: PageRequest) -> HttpResponse:
    """Without a question the form alone; the answer stands in the address, so that it can be sent on."""
    form = CompareForm(request.GET if "machines" in request.GET or "how" in request.GET else None)
    context: dict[str, Any] = {"form": form, "zones": ZONES, "how": request.GET.get("how") or next(iter(HOW))}
    if not form.is_valid():
        return render(request, "portal/compare.html", context, status=400 if form.is_bound else 200)
    now = timezone.now()
    question = form.question(retention.cutoff(now, request.tenant.retention_days))
    found = comparing.answer(question, now)
    lines = [Line(one.measure, other, compared) for one in found for other, compared in one.compared.items()]
    context |= {
        "question": question,
        "periods": [(side, *_say_period(side, question.zone)) for side in question.sides],
        "lines": lines,
        "headline": headline(question, lines),
        "found": found,
        "page_data": _page_data(question, found),
    }
    return render(request, "portal/compare.html", context)


def _say_period(side: Side, zone: ZoneInfo) -> tuple[str, str]:
    """On the wall clock of the zone."""
    first, last = (f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in (side.start, side.end))
    return first, last


def headline(question: Question, lines: Sequence[Line]) -> str:
    """The answer in a sentence; "no real change" is one."""
    known = [line for line in lines if line.compared]
    word = "difference" if question.same_days else "change"
    if not known:
        return "No answer: it needs four days that are well covered on both sides" + (
            "." if question.same_days else " and of the same weekday."
        )
    real = [line for line in known if line.compared and line.compared.is_real]
    if not real:
        return f"No real {word}: every interval holds zero, or what differs is under three percent."
    rest = len(known) - len(real)
    told = "; ".join(_say(question, line) for line in real[:SAID])
    more = f" {len(real) - SAID} more below." if len(real) > SAID else ""
    return f"{told}.{more}" + (f" No real {word} in {count(rest, 'other comparison')}." if rest else "")


def _say(question: Question, line: Line) -> str:
    assert line.compared is not None  # noqa: S101  real lines have one
    who = f"{line.other}: {line.measure.title}" if question.same_days else line.measure.title
    amount = number(abs(line.compared.change), "points" if line.measure.unit == "%" else line.measure.unit)
    return f"{who} is {line.compared.verdict} by {amount}{_share(line.compared)}"


@dataclass(frozen=True)
class _Named:
    name: str
    title: str


def _page_data(question: Question, found: Sequence[Found]) -> dict[str, Any]:
    titles = [side.title for side in question.sides]
    return {
        "charts": {one.measure.name: _chart(question, one, titles) for one in found},
        "titles": titles,
        "themes": {"light": charts.theme(dark=False), "dark": charts.theme(dark=True)},
    }


def _chart(question: Question, found: Found, titles: Sequence[str]) -> dict[str, Any]:
    named = [_Named(title, title) for title in titles]
    if not question.same_days:
        spec = charts.over_week(found.measure.title, "", named, height=HEIGHT)
        rows, domain = comparing.week_rows(found.hours), (0, 168)
    else:
        spec = charts.time_series(found.measure.title, "", named, height=HEIGHT, utc=True, interactive=False)
        side = question.sides[0]
        rows, domain = comparing.time_rows(found.hours), _wall(side.start, side.end, question.zone)
    spec.pop("title", None)
    for encoding in (spec["encoding"], *(layer["encoding"] for layer in spec.get("layer", []))):
        if "legend" in encoding.get("color", {}):
            encoding["color"]["legend"] = None
    field = "timestamp" if question.same_days else "hour"
    return {"spec": spec, "rows": rows, "domain": domain, "field": field, "unit": found.measure.unit}


def _wall(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """The period on the wall clock of the zone, in ms as if that were UTC."""
    return tuple(  # type: ignore[return-value]  # two in, two out
        round((moment.timestamp() + (moment.astimezone(zone).utcoffset() or timedelta()).total_seconds()) * 1000)
        for moment in (start, end)
    )
