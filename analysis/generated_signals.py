"""Random and periodic signals that are functions of the instant alone, so that any range of them joins any other.

Instants are int64 seconds since 1970, UTC; every function is vectorised over them. The random numbers are SplitMix64
(Steele, Lea, Flood 2014) of a counter, not a stream: the value at an instant needs none of those before it.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.int64]
Values = NDArray[np.float64]

MINUTE, HOUR, DAY = 60, 3600, 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def seed_of(*names: str) -> int:
    """A seed for a named signal."""
    return int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:8], "big")


def uniform(seed: int, counter: Instants) -> Values:
    """Evenly distributed in [0, 1), one number for each counter."""
    with np.errstate(over="ignore"):
        z = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def white(seed: int, at: Instants) -> Values:
    """Independent from minute to minute, in [-1, 1)."""
    return uniform(seed, at // MINUTE) * 2 - 1


def wander(seed: int, at: Instants, period: int) -> Values:
    """Smooth, in [-1, 1): random values every `period` seconds, eased from one to the next."""
    step, rest = np.divmod(at, period)
    first = int(step.min(initial=0)) if not step.size else int(step[0])
    points = uniform(seed, np.arange(first, int(step[-1]) + 2 if step.size else first + 2, dtype=np.int64)) * 2 - 1
    share = rest / period
    eased = share * share * (3 - 2 * share)
    before, after = points[step - first], points[step - first + 1]
    return np.asarray(before + (after - before) * eased)


def noise(seed: int, at: Instants) -> Values:
    """Autocorrelated as loads are: what changes over days, hours, minutes, and from sample to sample; about ±1."""
    slow = 0.35 * wander(seed, at, 7 * HOUR) + 0.3 * wander(seed + 1, at, HOUR)
    return slow + 0.2 * wander(seed + 2, at, 6 * MINUTE) + 0.15 * white(seed + 3, at)


def hour_of_day(at: Instants) -> Values:
    return np.asarray((at % DAY) / HOUR)


def weekday(at: Instants) -> Instants:
    """0 is Monday."""
    return np.asarray((at // DAY + _EPOCH_WEEKDAY) % 7)


def bump(hour: Values, centre: float, width: float) -> Values:
    """1 at `centre` o'clock, falling off over `width` hours, over midnight too."""
    distance = np.abs((hour - centre + 12) % 24 - 12)
    return np.exp(-0.5 * (distance / width) ** 2)


def office_hours(at: Instants) -> Values:
    """0 … 1: mornings and afternoons of working days, a dip at noon, little at weekends."""
    hour = hour_of_day(at)
    day = np.minimum(1.0, bump(hour, 10.2, 1.6) + 0.95 * bump(hour, 14.8, 1.9))
    return np.asarray(day * np.where(weekday(at) < 5, 1.0, 0.12))


def evenings(at: Instants) -> Values:
    """0 … 1: people at home; more at weekends."""
    hour = hour_of_day(at)
    day = 0.55 * bump(hour, 13, 3.5) + 0.9 * bump(hour, 20.3, 2.2)
    return np.asarray(np.minimum(1.0, day * np.where(weekday(at) < 5, 0.85, 1.0)))


def nightly(seed: int, at: Instants, start_hour: float, hours: float) -> Values:
    """0 … 1: one job each night that starts within ten minutes of its hour and lasts ±20 % of its time."""
    since = at - int(start_hour * HOUR)
    night, elapsed = np.divmod(since, DAY)
    delay = uniform(seed, night) * 10 * MINUTE
    length = hours * HOUR * (0.8 + 0.4 * uniform(seed + 1, night))
    run = elapsed - delay
    ramp = np.clip(run / (3 * MINUTE), 0, 1) * np.clip((length - run) / (4 * MINUTE), 0, 1)
    return np.asarray(ramp * (0.8 + 0.2 * uniform(seed + 2, night)))


def jobs(seed: int, at: Instants, slot: int, chance: Values) -> Values:
    """0 or 0.6 … 1: in each slot of `slot` seconds a job runs, with that chance, for part of the slot."""
    index, elapsed = np.divmod(at, slot)
    runs = uniform(seed, index) < chance
    busy = elapsed < slot * (0.25 + 0.7 * uniform(seed + 1, index))
    return np.where(runs & busy, 0.6 + 0.4 * uniform(seed + 2, index), 0.0)


def smoothed(values: Values, minutes: int) -> Values:
    """The kernel's load average of a value a minute: exponentially decaying over `minutes`, from the hour before.

    The first 60 values have less than an hour before them.
    """
    decay = np.exp(-1 / minutes)
    total, weights, weight = np.zeros_like(values), 0.0, 1.0
    for lag in range(min(60, values.size)):
        total[lag:] += weight * values[: values.size - lag]
        weights += weight
        weight *= decay
    return total / weights
