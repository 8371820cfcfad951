"""From values to pixels: linear, time and band scales with the tick rules of d3, which Vega draws by.

Source: d3-array `ticks` and `tickIncrement`, d3-scale `nice`, d3-time `utcTicks` (ISC licence, the algorithms only).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from reports.statistics import DAY, HOUR, Values

SECOND = 1000
MINUTE = 60 * SECOND
_STEPS = (
    *(SECOND * number for number in (1, 5, 15, 30)),
    *(MINUTE * number for number in (1, 5, 15, 30)),
    *(HOUR * number for number in (1, 3, 6, 12)),
    *(DAY * number for number in (1, 2, 7, 30, 90, 365)),
)
WEEK, MONTH, QUARTER, YEAR = _STEPS[-4:]


@dataclass(frozen=True)
class Linear:
    """Maps `low` to `high` onto 0 to `length` pixels, downwards from the top with `flip`."""

    low: float
    high: float
    length: float
    flip: bool = False

    def place(self, values: Values) -> Values:
        share = (values - self.low) / ((self.high - self.low) or 1.0)
        return (1 - share if self.flip else share) * self.length

    def at(self, value: float) -> float:
        return float(self.place(np.array([value]))[0])


@dataclass(frozen=True)
class Band:
    """One equal step of pixels for each name."""

    names: tuple[object, ...]
    length: float

    @property
    def step(self) -> float:
        return self.length / max(len(self.names), 1)

    def at(self, name: object) -> float:
        """Where the step of that name begins."""
        return self.names.index(name) * self.step


def tick_step(low: float, high: float, count: int) -> float:
    """The round number (1, 2 or 5 times a power of ten) that parts the range into about `count` steps."""
    rough = (high - low) / max(count, 1)
    power = math.floor(math.log10(rough))
    error = rough / 10**power
    factor = 10 if error >= math.sqrt(50) else 5 if error >= math.sqrt(10) else 2 if error >= math.sqrt(2) else 1
    return factor * 10.0**power


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between the bounds; none for an empty range."""
    if not high > low:
        return []
    step = tick_step(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(at * step, 12) for at in range(first, last + 1)]


def nice(low: float, high: float, count: int = 10) -> tuple[float, float]:
    """The bounds widened to round numbers."""
    for _ in range(2):
        if not high > low:
            return low, high
        step = tick_step(low, high, count)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return low, high


def number_labels(values: Sequence[float]) -> list[str]:
    """Every label with the digits that the step needs: `0.0`, `0.5`, `1.0`; `10,000`."""
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) if values else 1
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    return [f"{value:,.{digits}f}".replace("-", "−") for value in values]


def time_ticks(start: float, end: float, count: int = 8) -> list[int]:
    """Round moments (ms, read as UTC) between the bounds."""
    step = _time_step((end - start) / max(count, 1))
    if step >= MONTH:
        return _month_ticks(start, end, {MONTH: 1, QUARTER: 3}.get(step, 12))
    if step == 2 * DAY:
        days = range(math.ceil(start / DAY), math.floor(end / DAY) + 1)
        return [day * DAY for day in days if _date(day * DAY).day % 2]
    # The epoch was a Thursday; weeks begin on Sunday.
    shift = 3 * DAY if step == WEEK else 0
    return [at * step + shift for at in range(math.ceil((start - shift) / step), math.floor((end - shift) / step) + 1)]


def _time_step(target: float) -> int:
    above = next((at for at, step in enumerate(_STEPS) if step > target), len(_STEPS) - 1)
    if above == 0:
        return _STEPS[0]
    lower, upper = _STEPS[above - 1], _STEPS[above]
    return lower if target / lower < upper / target else upper


def _month_ticks(start: float, end: float, months: int) -> list[int]:
    first, last = _date(start), _date(end)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    moments = [_month_start(number) for number in numbers if number % months == 0]
    return [moment for moment in moments if start <= moment <= end]


def _month_start(number: int) -> int:
    return round(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)


def _date(moment: float) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def time_label(moment: int) -> str:
    """The finest part of a moment that is not zero: `2026`, `Mar 2026`, `Mon 05`, `18:00`, `18:00:30`."""
    date = _date(moment)
    if moment % MINUTE:
        return date.strftime("%H:%M:%S")
    if moment % DAY:
        return date.strftime("%H:%M")
    if date.day > 1:
        return date.strftime("%a %d")
    return date.strftime("%Y" if date.month == 1 else "%b %Y")
