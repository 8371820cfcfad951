"""What is sent, and what came of it: plain values, so that sending needs no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Letter:
    """A message in words. payload: the webhook's body. png: a small chart, or empty. thread: what belongs together."""

    key: str
    severity: str
    subject: str
    text: str
    html: str
    payload: dict[str, Any] = field(default_factory=dict)
    png: bytes = b""
    thread: str = ""
    is_good_news: bool = False


@dataclass(frozen=True)
class Parcel:
    """A letter, and where it goes. attempt: which one this is, from 1; with `delivery`, whose result it may write."""

    kind: str
    address: str = field(repr=False)
    letter: Letter
    secret: str = field(default="", repr=False)
    delivery: int = 0
    attempt: int = 1


@dataclass(frozen=True)
class Outcome:
    """reason: why not, or what else should be known. retry_after: seconds that the receiver asked for."""

    sent: bool
    reason: str = ""
    retry_after: int = 0
