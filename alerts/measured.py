"""Rules of kind threshold and anomaly: averages of every machine's windows, judged at each instant once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts import rules
from alerts.book import Evidence, Found, Place
from alerts.judging import Verdict
from alerts.models import Kind, Progress, Rule
from alerts.quantities import QUANTITIES, Quantity
from alerts.scene import FRESH, Scene
from analysis import usual, windows
from analysis.usual import Usual
from analysis.windows import Window
from core.catalogue import DATASETS, Dataset


def judge(scene: Scene) -> int:
    """Evaluate what came since the last run; returns how many windows were read."""
    by_dataset: dict[str, list[Rule]] = defaultdict(list)
    for rule in scene.of_kind(Kind.THRESHOLD, Kind.ANOMALY):
        by_dataset[QUANTITIES[rule.quantity].dataset.name].append(rule)
    return sum(_judge(scene, DATASETS[name], members) for name, members in by_dataset.items())


def _judge(scene: Scene, dataset: Dataset, members: Sequence[Rule]) -> int:
    newest = windows.newest(dataset, scene.now - FRESH, scene.now)
    spans = _spans(scene.now, dataset, newest)
    groups: dict[tuple[timedelta, timedelta], list[Rule]] = defaultdict(list)
    for rule in members:
        groups[rules.window(rule), rules.step(rule)].append(rule)
    read = 0
    for (length, apart), together in groups.items():
        ends = [(pk, tick) for pk, span in spans.items() for tick in rules.ticks(*span, apart)]
        read += _judge_group(scene, dataset, together, length, ends)
    _keep(dataset, {pk: until for pk, (_, until) in spans.items()})
    return read


def _spans(now: datetime, dataset: Dataset, newest: dict[int, datetime]) -> dict[int, tuple[datetime, datetime]]:
    """From where each machine was evaluated before, but nothing old, to its newest sample; no empty ones."""
    done = dict(Progress.objects.filter(dataset=dataset.name).values_list("collector_id", "until"))
    starts = {pk: max(done.get(pk, now - FRESH), now - FRESH) for pk in newest}
    return {pk: (starts[pk], until) for pk, until in newest.items() if starts[pk] < until}


def _keep(dataset: Dataset, untils: dict[int, datetime]) -> None:
    Progress.objects.bulk_create(
        [Progress(collector_id=pk, dataset=dataset.name, until=until) for pk, until in untils.items()],
        update_conflicts=True, unique_fields=("collector", "dataset"), update_fields=("until",),
    )  # fmt: skip


def _judge_group(
    scene: Scene, dataset: Dataset, members: Sequence[Rule], length: timedelta, ends: Sequence[tuple[int, datetime]]
) -> int:
    """Rules of one dataset and window: one query for all of them and all machines."""
    quantities = list({rule.quantity: QUANTITIES[rule.quantity] for rule in members}.values())
    scopes = {rule.pk: scene.scope(rule) for rule in members}
    watched = set().union(*scopes.values())
    found = windows.read(
        dataset, [q.of_sample() for q in quantities], [end for end in ends if end[0] in watched], length
    )
    for rule in members:
        column = [quantity.name for quantity in quantities].index(rule.quantity)
        mine = [one for one in found if one.collector_id in scopes[rule.pk] and rules.matches(rule, one.instance)]
        for window, result in verdicts(rule, mine, column, scene.zone):
            scene.book.judge(rule, Place(window.collector_id, window.instance), result)
    return len(found)


def verdicts(rule: Rule, found: Sequence[Window], column: int, zone: ZoneInfo) -> Iterable[tuple[Window, Found]]:
    """What a rule says of windows; `column` is the place of its quantity's mean in them."""
    if rule.kind == Kind.ANOMALY:
        return _compared(rule, found, column, zone)
    return (
        (window, Found(window.at, verdict, value_of(window, column), lambda w=window: _evidence(rule, w, column)))  # type: ignore[misc]  # bound now
        for window, verdict in zip(found, simple_verdicts(rule, found, column), strict=True)
    )


def simple_verdicts(rule: Rule, found: Iterable[Window], column: int) -> Iterable[Verdict]:
    """What a threshold says of each window."""
    levels = rules.levels(rule)
    return (levels.verdict(value_of(window, column)) for window in found)


def value_of(window: Window, column: int) -> float | None:
    """Its mean, where the window is one that counts."""
    return window.means[column] if window.is_covered else None


def _evidence(rule: Rule, window: Window, column: int) -> Evidence:
    quantity = QUANTITIES[rule.quantity]
    return {
        "quantity": rule.quantity, "title": quantity.title, "unit": quantity.unit, "value": window.means[column],
        "samples": window.counts[column], "window_seconds": rule.window_seconds,
        "from": (window.at - rules.window(rule)).isoformat(), "until": window.at.isoformat(),
        "comparison": rule.comparison, "threshold": rule.threshold, "clear_threshold": rule.clear_threshold,
    }  # fmt: skip


@dataclass(frozen=True)
class _Compared:
    """A window beside what is usual: `score`: how many robust deviations off, on the side asked for."""

    usual: Usual | None
    score: float | None


def _compared(rule: Rule, found: Sequence[Window], column: int, zone: ZoneInfo) -> Iterable[tuple[Window, Found]]:
    quantity, levels = QUANTITIES[rule.quantity], rules.levels(rule)
    wanted = {middle: usual.slots(middle, zone) for middle in {_middle(rule, window) for window in found}}
    means = _history(quantity, found, wanted)
    known: dict[tuple[int, str, datetime], Usual | None] = {}
    for window in found:
        key = (window.collector_id, window.instance, _middle(rule, window))
        if key not in known:
            least = rule.least_deviation / levels.threshold
            known[key] = usual.usual(means.get(key[:2], {}), wanted[key[2]], least)
        compared = _compare(rule, window, column, known[key])
        yield window, Found(
            window.at, levels.verdict(compared.score), window.means[column],
            lambda w=window, c=compared: _explained(rule, w, column, c),  # type: ignore[misc]  # bound now
        )  # fmt: skip


def _middle(rule: Rule, window: Window) -> datetime:
    """The hour that holds the middle of the window."""
    return (window.at - rules.window(rule) / 2).replace(minute=0, second=0, microsecond=0)


def _history(
    quantity: Quantity, found: Sequence[Window], wanted: dict[datetime, usual.Slots]
) -> dict[tuple[int, str], dict[datetime, float]]:
    hours = [hour for slots in wanted.values() for slot in slots for hour in slot]
    machines = sorted({window.collector_id for window in found})
    return usual.read(quantity.dataset, quantity.of_hour(), machines, hours) if hours else {}


def _compare(rule: Rule, window: Window, column: int, known: Usual | None) -> _Compared:
    value = value_of(window, column)
    if known is None or value is None:
        return _Compared(known, None)
    off = value - known.high if rule.comparison == "above" else known.low - value
    return _Compared(known, max(off / known.scale, 0.0))


def _explained(rule: Rule, window: Window, column: int, compared: _Compared) -> Evidence:
    known = compared.usual
    return _evidence(rule, window, column) | {
        "score": None if compared.score is None else round(compared.score, 2),
        "usual": None if known is None else {
            "low": windows.rounded(known.low), "high": windows.rounded(known.high),
            "scale": windows.rounded(known.scale), "weeks": known.weeks, "hours": known.hours,
        },
    }  # fmt: skip
