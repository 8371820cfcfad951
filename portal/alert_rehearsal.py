"""What a rule of the editor would have done: in numbers, by place, and on the chart of the place that fired most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from alerts import rehearsal, rules
from alerts.judging import Spell
from alerts.models import Kind, Rule
from alerts.quantities import QUANTITIES
from alerts.rehearsal import Place, Rehearsal
from collectors.models import Collector
from portal import alert_charts

MOST_PLACES = 8


@dataclass(frozen=True)
class Count:
    """A place and its alerts; the newest of them."""

    place: Place
    newest: Spell

    @property
    def count(self) -> int:
        return len(self.place.spells)


def context(rule: Rule, machine_id: str, now: datetime) -> dict[str, Any]:
    """For the fragment of the editor; `problem` instead where the rule makes no sense yet."""
    wrong = rules.complaints(rule)
    if wrong:
        return {"problem": wrong[0].sentence}
    found = rehearsal.rehearse(rule, now, machine_id=machine_id)
    most = sorted(found.places, key=lambda place: -len(place.spells))
    return {
        "rehearsal": found,
        "ruled_out": found.in_scope - found.looked_at - found.left_out,
        "counts": [Count(place, place.spells[-1]) for place in most[:MOST_PLACES]],
        "more": len(most) - MOST_PLACES,
        "chart": _chart(rule, found, most, machine_id),
    }


def _chart(rule: Rule, found: Rehearsal, most: Sequence[Place], machine_id: str) -> Markup | None:
    """Of the place that fired most; of the machine that was chosen when none did."""
    quantity = QUANTITIES.get(rule.quantity) if rule.kind in (Kind.THRESHOLD, Kind.ANOMALY) else None
    place = most[0] if most else Place(machine_id, "", "", ())
    collector = Collector.objects.filter(machine_id=place.machine_id).first()
    if quantity is None or collector is None:
        return None
    judged = alert_charts.judged(rule, quantity, collector.pk, found.start, found.end)
    instance = place.instance if place.instance in judged else next(iter(judged), "")
    marks = [(spell.fired_at, "fires") for spell in place.spells]
    points = judged.get(instance, ())
    return alert_charts.draw(rule, quantity, points, found.start, found.end, marks, width=alert_charts.HALF)
