"""Schedules of the current tenant: making and changing them, and turning what is due into reports that are queued.

`accounts.audit` gets every change; a schedule's own reports are asked for by `schedule <its id>`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts import audit
from collectors.models import Collector
from core.errors import ServiceError
from reports.jobs import calendar, queue
from reports.jobs.models import Delivery, Every, Occurrence, Report, Schedule

MOST_SCHEDULES, MOST_RECIPIENTS = 100, 20
NO_MAIL = "This portal sends no mail, because its setting EMAIL_URL is empty: the reports are on the page Reports."
LONGEST_DAYS = {Every.WEEK: 7, Every.MONTH: 31}


@dataclass(frozen=True)
class Plan:
    """What a person wants of a schedule; see the fields of `Schedule`."""

    title: str
    every: str
    day: int
    hour: int
    machine_ids: Sequence[str] = ()
    tag: str = ""
    recipients: Sequence[str] = ()

    @staticmethod
    def of(schedule: Schedule) -> Plan:
        return Plan(**{name: getattr(schedule, name) for name in Plan.__dataclass_fields__})


def make(plan: Plan, now: datetime, *, actor: str, ip: str | None) -> Schedule:
    """Its first report is of the next time that it is due. REQUEST_003 for what cannot be."""
    plan = _checked(plan)
    if Schedule.objects.count() >= MOST_SCHEDULES:
        raise ServiceError("REQUEST_003", f"There are {MOST_SCHEDULES} schedules already; delete one first.")
    with transaction.atomic():
        fields = {**asdict(plan), "machine_ids": list(plan.machine_ids), "recipients": list(plan.recipients)}
        schedule = Schedule.objects.create(public_id=secrets.token_hex(8), armed_at=now, created_by=actor, **fields)
        _tell("schedule.made", schedule, actor, ip)
    return schedule


def change(public_id: str, plan: Plan, now: datetime, *, actor: str, ip: str | None) -> Schedule:
    """A change of its time does not make up for what would have been due before."""
    plan = _checked(plan)
    with transaction.atomic():
        schedule = _locked(public_id)
        if (plan.every, plan.day, plan.hour) != (schedule.every, schedule.day, schedule.hour):
            schedule.armed_at = now
        for name, value in asdict(plan).items():
            setattr(schedule, name, value if isinstance(value, (str, int)) else list(value))
        schedule.save()
        _tell("schedule.changed", schedule, actor, ip)
    return schedule


def pause(public_id: str, *, actor: str, ip: str | None) -> Schedule:
    with transaction.atomic():
        schedule = _locked(public_id)
        schedule.paused = True
        schedule.save(update_fields=["paused"])
        _tell("schedule.paused", schedule, actor, ip)
    return schedule


def resume(public_id: str, now: datetime, *, actor: str, ip: str | None) -> Schedule:
    """From the next time that it is due; what was missed meanwhile stays so."""
    with transaction.atomic():
        schedule = _locked(public_id)
        schedule.paused, schedule.armed_at = False, now
        schedule.save(update_fields=["paused", "armed_at"])
        _tell("schedule.resumed", schedule, actor, ip)
    return schedule


def delete(public_id: str, *, actor: str, ip: str | None) -> None:
    """The reports that it led to stay."""
    with transaction.atomic():
        schedule = _locked(public_id)
        _tell("schedule.deleted", schedule, actor, ip)
        schedule.delete()


def run(public_id: str, zone: ZoneInfo, now: datetime, *, actor: str, ip: str | None) -> Report:
    """At once, for the last whole week or month, mailed as ever; the schedule goes on as if nothing had been."""
    with transaction.atomic():
        schedule = _locked(public_id)
        _tell("schedule.run", schedule, actor, ip)
        when = calendar.just_now(schedule.timing, zone, now)
        occurrence = Occurrence.objects.create(schedule=schedule, covers=when.covers, due_at=now, asked_by=actor)
        return _ask(occurrence, when, zone)


def run_due(zone: ZoneInfo, now: datetime, stopped: Callable[[], bool]) -> int:
    """Queue the reports of all that is due, each once; how many there were."""
    waiting = Schedule.objects.filter(paused=False).values_list("public_id", flat=True)
    return sum(_run_due(public_id, zone, now) for public_id in waiting if not stopped())


def _run_due(public_id: str, zone: ZoneInfo, now: datetime) -> bool:
    """The newest that is due, if nobody claimed it. A full queue leaves it for the next turn."""
    try:
        with transaction.atomic():
            schedule = Schedule.objects.select_for_update().filter(public_id=public_id, paused=False).first()
            return schedule is not None and _claim(schedule, calendar.latest(schedule.timing, zone, now), zone)
    except ServiceError as error:
        if error.code.code != "RATE_001":
            raise
        return False


def _claim(schedule: Schedule, when: calendar.Occurrence, zone: ZoneInfo) -> bool:
    if when.due <= schedule.armed_at:
        return False
    found, is_new = Occurrence.objects.get_or_create(
        schedule=schedule, covers=when.covers, asked_by="", defaults={"due_at": when.due}
    )
    if not is_new:
        return False
    try:
        _ask(found, when, zone)
    except ServiceError as error:
        if error.code.code == "RATE_001":
            raise
        found.problem = error.sentence[:500]
        found.save(update_fields=["problem"])
    return True


def _ask(occurrence: Occurrence, when: calendar.Occurrence, zone: ZoneInfo) -> Report:
    schedule = occurrence.schedule
    order = queue.Order(schedule.title, _machines(schedule), when.start, when.end, zone.key)
    actor = occurrence.asked_by or f"schedule {schedule.public_id}"
    occurrence.report = queue.ask(order, actor=actor, ip=None)
    occurrence.save(update_fields=["report"])
    Delivery.objects.bulk_create(
        Delivery(occurrence=occurrence, address=address, try_at=when.due) for address in schedule.recipients
    )
    return occurrence.report


def _machines(schedule: Schedule) -> list[str]:
    """Those of today: machines that are gone are left out. Empty for all."""
    if schedule.tag:
        return tagged(schedule.tag)
    known = set(Collector.objects.filter(machine_id__in=schedule.machine_ids).values_list("machine_id", flat=True))
    kept = [name for name in schedule.machine_ids if name in known]
    if schedule.machine_ids and not kept:
        raise ServiceError("EXPORT_002", "None of the schedule's machines is there any more.")
    return kept


def tagged(tag: str) -> list[str]:
    """The machines that have the tag; EXPORT_002 when none has."""
    found = list(Collector.objects.filter(tags__contains=[tag]).values_list("machine_id", flat=True))
    if not found:
        raise ServiceError("EXPORT_002", f"No machine has the tag {tag[:64]!r}.")
    return found


def trim(before: datetime, now: datetime) -> None:
    """Forget old occurrences; never the newest ones, which keep their period from being reported twice."""
    Occurrence.objects.filter(due_at__lt=min(before, now - timedelta(days=2 * calendar.LONGEST))).delete()


def find(public_id: str) -> Schedule:
    """REQUEST_001 when there is none."""
    return _only(Schedule.objects.filter(public_id=public_id).first(), public_id)


def _locked(public_id: str) -> Schedule:
    return _only(Schedule.objects.select_for_update().filter(public_id=public_id).first(), public_id)


def _only(schedule: Schedule | None, public_id: str) -> Schedule:
    if schedule is None:
        raise ServiceError("REQUEST_001", f"There is no schedule {public_id[:32]!r} here.")
    return schedule


def _checked(plan: Plan) -> Plan:
    """The plan with its addresses cleaned and told once."""
    first, last = (0, 6) if plan.every == Every.WEEK else (1, 31)
    if plan.every not in Every.values or not first <= plan.day <= last or not 0 <= plan.hour <= 23:
        raise ServiceError(
            "REQUEST_003", "A week has the days 0 (Monday) to 6, a month 1 to 31, a day the hours 0 to 23."
        )
    if plan.tag and plan.machine_ids:
        raise ServiceError("REQUEST_003", "Choose machines or a tag, not both.")
    machines = tagged(plan.tag) if plan.tag else _known(plan.machine_ids)
    queue.check_size(len(machines) or Collector.objects.count(), LONGEST_DAYS[Every(plan.every)])
    return Plan(
        plan.title or "Performance report", plan.every, plan.day, plan.hour, list(dict.fromkeys(plan.machine_ids)),
        plan.tag, _addresses(plan.recipients),
    )  # fmt: skip


def _known(machine_ids: Sequence[str]) -> Sequence[str]:
    known = set(Collector.objects.filter(machine_id__in=machine_ids).values_list("machine_id", flat=True))
    unknown = [name for name in machine_ids if name not in known]
    if unknown:
        raise ServiceError("EXPORT_002", f"There is no machine {unknown[0][:128]!r}.")
    return machine_ids


def _addresses(recipients: Sequence[str]) -> list[str]:
    if recipients and not settings.SENDS_MAIL:
        raise ServiceError("REQUEST_003", NO_MAIL)
    found = list({address.strip().lower(): address.strip() for address in recipients if address.strip()}.values())
    if len(found) > MOST_RECIPIENTS:
        raise ServiceError("REQUEST_003", f"A schedule mails {MOST_RECIPIENTS} addresses at most.")
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            raise ServiceError("REQUEST_003", f"{address[:64]!r} is no e-mail address.") from None
    return found


def _tell(event: str, schedule: Schedule, actor: str, ip: str | None) -> None:
    audit.record(
        event, user=actor, ip=ip, schedule=schedule.public_id, title=schedule.title, every=schedule.every,
        recipients=schedule.recipients, machines=schedule.machine_ids, tag=schedule.tag,
    )  # fmt: skip
