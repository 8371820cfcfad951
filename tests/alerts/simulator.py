"""A made-up customer whose machines, relays and portal run and fail by a script, on a clock of its own.

Samples go through the real COPY path, the real evaluator runs at every step, and messages are taken as delivery does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction

from alerts import evaluation, outbox
from alerts.models import Alert, Message, Rule, Run
from analysis import months, partitions, rollups, rollups_tables, store
from analysis.models import Batch
from collectors.events import Event, enter
from collectors.models import Collector
from core.batch import Table
from core.catalogue import DATASETS

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
Curve = Callable[[datetime], float | None]
Span = tuple[datetime, datetime]


def steady(value: float) -> Curve:
    return lambda at: value


def between(spans: list[Span], inside: float, outside: float) -> Curve:
    return lambda at: inside if any(start <= at < end for start, end in spans) else outside


@dataclass
class Machine:
    """curves: dataset → instance → metric → its curve. dead: no samples are taken. cut: none can be sent."""

    collector: Collector
    curves: Mapping[str, Mapping[str, Mapping[str, Curve]]]
    sampled_until: datetime
    dead: list[Span] = field(default_factory=list)
    cut: list[Span] = field(default_factory=list)
    offset: Callable[[datetime], timedelta] = lambda at: timedelta()
    waiting: list[tuple[str, str, datetime, dict[str, float | None]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.collector.machine_id

    def sample(self, until: datetime, step: timedelta) -> None:
        at = self.sampled_until
        while at + step <= until:
            at += step
            if not _inside(self.dead, at):
                self.waiting += self._samples(at)
        self.sampled_until = at

    def _samples(self, at: datetime) -> Iterator[tuple[str, str, datetime, dict[str, float | None]]]:
        for dataset, instances in self.curves.items():
            for instance, metrics in instances.items():
                values = {metric: curve(at) for metric, curve in metrics.items()}
                yield dataset, instance, at + self.offset(at), values


def _inside(spans: list[Span], at: datetime) -> bool:
    return any(start <= at < end for start, end in spans)


@dataclass
class World:
    """every: how often machines upload and the evaluation runs. away: spans in which the portal is down as a whole."""

    now: datetime
    every: timedelta = 5 * MINUTE
    step: timedelta = MINUTE
    machines: list[Machine] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)
    messages: list[tuple[datetime, str, tuple[str, ...]]] = field(default_factory=list)
    does_evaluate: bool = True

    @staticmethod
    def empty(start: datetime, end: datetime, *rules: Rule, **options: timedelta) -> World:
        """A tenant without machines, with just these rules (none given: the shipped ones)."""
        Collector.objects.all().delete()
        if rules:
            Rule.objects.all().delete()
            for rule in rules:
                rule.pk = None
                rule.save()
        partitions.create(partitions.plan(months.between(start - DAY, end + DAY)))
        Run.objects.create(evaluated_at=start, resumed_at=start)
        return World(start, **options)  # type: ignore[arg-type]  # every, step

    def add(
        self, name: str, *, address: str = "192.0.2.1", tags: tuple[str, ...] = (),
        **curves: Mapping[str, Mapping[str, Curve]] | Mapping[str, Curve],
    ) -> Machine:  # fmt: skip
        """system=metrics, or filesystems={mount: metrics}; a machine uploads something in any case."""
        collector = Collector.objects.create(
            machine_id=name, ip_address=address, tags=list(tags), last_seen=self.now, created_at=self.now
        )
        whole = {"system": {"": curves.pop("system", {"cpu_idle": steady(80)})}, **curves}
        machine = Machine(collector, whole, self.now)  # type: ignore[arg-type]  # of both forms above
        self.machines.append(machine)
        return machine

    def run(self, until: datetime) -> None:
        while self.now < until:
            self.now += self.every
            for machine in self.machines:
                machine.sample(self.now, self.step)
            if not _inside(self.away, self.now):
                self._upload()
                if self.does_evaluate:
                    self.evaluate()

    def _upload(self) -> None:
        sent: dict[tuple[int, str], list[tuple[str, datetime, dict[str, float | None]]]] = {}
        for machine in self.machines:
            if not machine.waiting or _inside(machine.cut, self.now):
                continue
            for dataset, instance, at, values in machine.waiting:
                sent.setdefault((machine.collector.pk, dataset), []).append((instance, at, values))
            self._receive(machine)
        for (pk, dataset), rows in sent.items():
            store.copy(store.rows_of(_table(dataset, rows), pk))

    def _receive(self, machine: Machine) -> None:
        Collector.objects.filter(pk=machine.collector.pk).update(last_seen=self.now)
        Batch.objects.create(
            collector=machine.collector, batch_id=f"{self.now:%Y%m%d%H%M%S}", digest="", records=len(machine.waiting),
            received_at=self.now,
        )  # fmt: skip
        machine.waiting = []

    def evaluate(self) -> None:
        evaluation.evaluate(self.now)
        with transaction.atomic():
            for message in outbox.take(self.now):
                self.messages.append((self.now, message.kind, self._targets(message)))

    def _targets(self, message: Message) -> tuple[str, ...]:
        names = {str(machine.collector.pk): machine.name for machine in self.machines}
        found = []
        for alert in message.alerts.order_by("id"):
            place = alert.cause or "/".join((names.get(str(alert.collector_id), "?"), *filter(None, (alert.instance,))))
            found.append(f"{alert.rule_name}: {place}")
        return tuple(sorted(found))

    def told(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(kind, targets) for _, kind, targets in self.messages]

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.messages]

    def happened(self, machine: Machine, kind: str, since: datetime, until: datetime, detail: str = "") -> None:
        """The agent's own word, received now."""
        enter([(machine.collector.pk, Event(kind, since, until, detail))], self.now)


def fired() -> list[Alert]:
    return list(Alert.objects.ever_fired().order_by("fired_at", "id"))


def when(moment: datetime | None) -> datetime:
    """An instant that must be there."""
    assert moment is not None
    return moment


def name_of(alert: Alert) -> str:
    """The alert's machine."""
    assert alert.collector is not None
    return alert.collector.machine_id


def roll(
    machine: Machine, start: datetime, end: datetime, dataset: str = "system", instance: str = "",
    **means: Curve,
) -> None:  # fmt: skip
    """Hourly roll-ups as they would be had the machine run all that time."""
    hours = [start + HOUR * number for number in range(int((end - start) / HOUR))]
    kind = DATASETS[dataset]
    names = ["collector_id", "hour", "samples", *([kind.instance] if kind.instance else [])]
    names += [f"{metric}_mean" for metric in means]
    columns = [[machine.collector.pk] * len(hours), hours, [60] * len(hours)]
    columns += [[instance] * len(hours)] if kind.instance else []
    columns += [[curve(hour) for hour in hours] for curve in means.values()]
    types = ["bigint[]", "timestamptz[]", "integer[]", *(["text[]"] if kind.instance else []), *["real[]"] * len(means)]
    rollups.execute(
        f'INSERT INTO "{rollups_tables.table(kind)}" ({", ".join(names)})'
        f" SELECT * FROM unnest({', '.join(f'%s::{one}' for one in types)})",
        columns,
    )


def _table(dataset: str, rows: list[tuple[str, datetime, dict[str, float | None]]]) -> Table:
    kind = DATASETS[dataset]
    columns: dict[str, list[object]] = {"timestamp": [at for _, at, _ in rows]}
    if kind.instance:
        columns[kind.instance] = [instance for instance, _, _ in rows]
    for metric in dict.fromkeys(name for _, _, values in rows for name in values):
        columns[metric] = [values.get(metric) for _, _, values in rows]
    return Table(kind, columns)
