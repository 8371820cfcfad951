"""The question that the page Compare is asked, as a form in the address."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from collectors.models import Collector
from portal.comparing import COMPARABLE, MOST_MEASURES, MOST_SIDES, USUAL, Question, Side
from portal.forms import MAX_SPAN

MACHINES, CHANGE, PERIODS = "machines", "change", "periods"
HOW = {
    MACHINES: "Machines over one period",
    CHANGE: "A machine before and after a change",
    PERIODS: "A machine over two periods",
}
DAYS = {"7": "7 days each", "14": "14 days each", "28": "28 days each"}
USUAL_DAYS = 14
OLDEST = 2000
_Date = forms.DateInput({"type": "date"})


class CompareForm(forms.Form):
    """`how` says which of the fields count. Dates are days in `zone`, the last one included."""

    how = forms.ChoiceField(label="Compare", choices=list(HOW.items()), initial=MACHINES, widget=forms.RadioSelect)
    machines = forms.MultipleChoiceField(label="Machines", widget=forms.CheckboxSelectMultiple)
    start = forms.DateField(label="From", required=False, widget=_Date)
    end = forms.DateField(label="To", required=False, widget=_Date)
    start2 = forms.DateField(label="Against from", required=False, widget=_Date)
    end2 = forms.DateField(label="to", required=False, widget=_Date)
    change = forms.CharField(
        label="Changed at", required=False, max_length=40, widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    days = forms.ChoiceField(label="Days", required=False, choices=list(DAYS.items()), initial="7")
    metrics = forms.MultipleChoiceField(
        label="What", required=False, initial=list(USUAL), widget=forms.CheckboxSelectMultiple,
        choices=[(name, f"{one.title}, {one.unit}" if one.unit else one.title) for name, one in COMPARABLE.items()],
    )  # fmt: skip
    zone = forms.CharField(
        label="Time zone", required=False, max_length=64, initial="UTC",
        widget=forms.TextInput({"list": "zones", "autocomplete": "off", "data-own-zone": ""}),
    )  # fmt: skip

    def __init__(self, asked: QueryDict | None = None) -> None:
        super().__init__(_as_fields(asked))
        today = timezone.now().date()
        self.fields["start"].initial = today - timedelta(days=USUAL_DAYS)
        self.fields["end"].initial = today
        self.collectors = {one.machine_id: one for one in Collector.objects.all()}
        self.fields["machines"].choices = [(name, name) for name in self.collectors]  # type: ignore[attr-defined]

    def clean_zone(self) -> str:
        name = str(self.cleaned_data["zone"] or "UTC")
        if name not in available_timezones():
            raise ValidationError("There is no such time zone. Begin to type a continent, as in Europe/Berlin.")
        return name

    def clean_metrics(self) -> list[str]:
        names = list(self.cleaned_data["metrics"]) or list(USUAL)
        if len(names) > MOST_MEASURES:
            raise ValidationError(f"Choose {MOST_MEASURES} at most.")
        return names

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if self.errors:
            return found
        zone = ZoneInfo(found["zone"])
        sides = {MACHINES: self._machines, CHANGE: self._around, PERIODS: self._two}[found["how"]](found, zone)
        for side in sides:
            _check_span(side)
        return {**found, "sides": sides}

    def question(self, raw_from: datetime) -> Question:
        """Only of a form that is valid."""
        asked = self.cleaned_data
        measures = [COMPARABLE[name] for name in asked["metrics"]]
        return Question(asked["sides"], measures, ZoneInfo(asked["zone"]), asked["how"] == MACHINES, raw_from)

    def _machines(self, found: dict[str, Any], zone: ZoneInfo) -> list[Side]:
        names = found["machines"]
        if not 2 <= len(names) <= MOST_SIDES:
            raise ValidationError({"machines": f"Choose two to {MOST_SIDES} machines; the first one is the yardstick."})
        if not (found.get("start") and found.get("end")):
            raise ValidationError("Give the period, from a day to a day.")
        start, end = _period(found["start"], found["end"], zone)
        return [Side(name, self.collectors[name], start, end) for name in names]

    def _around(self, found: dict[str, Any], zone: ZoneInfo) -> list[Side]:
        moment, days = _instant(found["change"], zone), timedelta(days=int(found.get("days") or 7))
        one = self._one(found)
        return [Side("Before", one, moment - days, moment), Side("After", one, moment, moment + days)]

    def _two(self, found: dict[str, Any], zone: ZoneInfo) -> list[Side]:
        dates = [found.get(name) for name in ("start", "end", "start2", "end2")]
        if not all(dates):
            raise ValidationError("Give both periods, each from a day to a day.")
        one = self._one(found)
        first, second = _period(dates[0], dates[1], zone), _period(dates[2], dates[3], zone)  # type: ignore[arg-type]
        return [Side("Before", one, *first), Side("After", one, *second)]

    def _one(self, found: dict[str, Any]) -> Collector:
        if len(found["machines"]) != 1:
            raise ValidationError({"machines": "Choose one machine."})
        return self.collectors[found["machines"][0]]


def _as_fields(asked: QueryDict | None) -> QueryDict | None:
    """What the form shows and sends again: the usual metrics without any, an instant on the zone's clock."""
    if asked is None:
        return None
    found = asked.copy()
    if not found.getlist("metrics"):
        found.setlist("metrics", list(USUAL))
    if found.get("how") == MACHINES:
        found["start"] = found.get("start") or f"{timezone.now().date() - timedelta(days=USUAL_DAYS)}"
        found["end"] = found.get("end") or f"{timezone.now().date()}"
    if not found.get("change"):
        return found
    try:
        moment, zone = datetime.fromisoformat(str(found["change"])), ZoneInfo(found.get("zone") or "UTC")
    except (ValueError, OSError):  # whatever is wrong is said by the fields
        return found
    if moment.tzinfo:
        found["change"] = f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"
    return found


def _period(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    if not all(OLDEST <= day.year <= timezone.now().year + 1 for day in (first, last)):
        raise ValidationError(f"Days lie between {OLDEST} and the end of next year.")
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """On the wall clock of the zone."""
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise ValidationError({"change": "Give the day and time of the change."}) from None
    if not OLDEST <= found.year <= timezone.now().year + 1 or found > timezone.now():
        raise ValidationError({"change": "The change must have happened already."})
    return found.astimezone(UTC)


def _check_span(side: Side) -> None:
    if side.start >= side.end:
        raise ValidationError("A period ends before it starts.")
    if side.end - side.start > MAX_SPAN:
        raise ValidationError(f"A period may be {MAX_SPAN.days} days at most.")
