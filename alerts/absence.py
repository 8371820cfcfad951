"""Machines that are silent: one alert a cause. Pure; `alerts.silent` brings the machines in and the alerts out.

When one machine has been silent for the grace time, those that fell silent with it (within ten minutes, and for two
thirds of the grace time at least) are looked at together: half of all machines or more, of several addresses, are one
cause, `many`; all machines that reach the portal from one address (a relay, an office's line) are one cause,
`address:<address>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.judging import Verdict

TOGETHER = timedelta(minutes=10)
MANY, SHARE = 3, 0.5
SAME_ADDRESS = 2


@dataclass(frozen=True)
class Heard:
    """A machine that was heard before. silent_from: its last batch, or from when on its silence counts."""

    collector_id: int
    machine_id: str
    address: str
    silent_from: datetime


@dataclass(frozen=True)
class Open:
    """An alert that is open already: of the one machine `members` names, or (cause set) of all of them."""

    cause: str
    since: datetime
    members: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """What is to be said of one machine, or of one cause at its members, now."""

    verdict: Verdict
    since: datetime
    cause: str = ""
    collector_id: int | None = None
    members: tuple[str, ...] = ()
    silent: tuple[str, ...] = field(default=())


def judge(now: datetime, heard: Sequence[Heard], open_: Sequence[Open], grace: timedelta) -> list[Judged]:
    """One verdict for every open cause, every machine outside them, and for causes that are new."""
    silence = {machine.machine_id: now - machine.silent_from for machine in heard}
    causes = [_join(alert, heard, silence, grace) for alert in open_ if alert.cause]
    taken = {name for cause in causes for name in cause.members}
    alone = {name for alert in open_ if not alert.cause for name in alert.members}
    free = [machine for machine in heard if machine.machine_id not in taken]
    new = _new_causes(now, [machine for machine in free if machine.machine_id not in alone], grace)
    taken |= {name for cause in new for name in cause.members}
    found = [_judged_cause(cause, silence, grace) for cause in causes]
    found += [Judged(Verdict.MET, one.since, one.cause, members=one.members, silent=one.members) for one in new]
    for machine in free:
        if machine.machine_id not in taken:
            verdict = Verdict.MET if silence[machine.machine_id] >= grace else Verdict.CLEAR
            found.append(Judged(verdict, machine.silent_from, collector_id=machine.collector_id))
    return found


def _join(cause: Open, heard: Sequence[Heard], silence: Mapping[str, timedelta], grace: timedelta) -> Open:
    """A machine that fell silent with the cause, but later became overdue, belongs to it."""
    joined = [
        machine.machine_id
        for machine in heard
        if silence[machine.machine_id] >= grace
        and abs(machine.silent_from - cause.since) <= TOGETHER
        and cause.cause in ("many", f"address:{machine.address}")
    ]
    return Open(cause.cause, cause.since, tuple(sorted({*cause.members, *joined})))


def _judged_cause(cause: Open, silence: Mapping[str, timedelta], grace: timedelta) -> Judged:
    """Over when most of its machines are back; those that are not are looked at one by one from then on."""
    silent = tuple(name for name in cause.members if silence.get(name, timedelta()) >= grace)
    verdict = Verdict.CLEAR if 2 * len(silent) < len(cause.members) else Verdict.MET
    return Judged(verdict, cause.since, cause.cause, members=cause.members, silent=silent)


def _new_causes(now: datetime, free: Sequence[Heard], grace: timedelta) -> list[Open]:
    found: list[Open] = []
    suspects = [machine for machine in free if now - machine.silent_from >= grace * 2 / 3]
    for machine in sorted(suspects, key=lambda one: one.silent_from):
        if now - machine.silent_from < grace or any(machine.machine_id in cause.members for cause in found):
            continue
        cause = _cause_of(machine, suspects, free)
        if cause:
            found.append(cause)
    return found


def _cause_of(machine: Heard, suspects: Sequence[Heard], free: Sequence[Heard]) -> Open | None:
    """None: it is silent by itself."""
    near = [one for one in suspects if abs(one.silent_from - machine.silent_from) <= TOGETHER]
    if len(near) >= MANY and len(near) >= SHARE * len(free) and len({one.address for one in near}) > 1:
        return _open("many", near)
    there = [one for one in free if machine.address and one.address == machine.address]
    if len(there) >= SAME_ADDRESS and all(one in near for one in there):
        return _open(f"address:{machine.address}", there)
    return None


def _open(cause: str, members: Sequence[Heard]) -> Open:
    since = min(member.silent_from for member in members)
    return Open(cause, since, tuple(sorted(member.machine_id for member in members)))
