"""Calendar months in UTC, the unit of partitioning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_SUFFIX = re.compile(r"_y(\d{4})m(\d{2})")


@dataclass(frozen=True, order=True)
class Month:
    year: int
    month: int

    @staticmethod
    def of(moment: datetime) -> Month:
        utc = moment.astimezone(UTC)
        return Month(utc.year, utc.month)

    def plus(self, months: int) -> Month:
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first instant that is no longer in the month."""
        return self.plus(1).start

    @property
    def suffix(self) -> str:
        return f"_y{self.year:04}m{self.month:02}"

    @staticmethod
    def of_partition(name: str) -> Month | None:
        """The month of a partition's name, None for a table that is none of ours."""
        match = _SUFFIX.search(name[-9:])
        return Month(int(match[1]), int(match[2])) if match else None


def between(first: datetime, last: datetime) -> Iterator[Month]:
    """Every month that has an instant of first … last, both included."""
    month, final = Month.of(first), Month.of(last)
    while month <= final:
        yield month
        month = month.plus(1)
