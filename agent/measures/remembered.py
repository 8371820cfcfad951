"""What a machine is made of hardly ever changes: worked out once, and again when it has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Callable, Generic, Optional, TypeVar

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


class Remembered(Generic[Thing, Answer]):
    """A function of names and of what is known of them, asked anew only when either is another than last time.

    The names are compared; of what is known, the very object must be the same.
    """

    def __init__(self, function: Callable[[Collection[str], Optional[Mapping[str, Thing]]], Answer]) -> None:
        self._function = function
        self._names: frozenset[str] | None = None
        self._known: Mapping[str, Thing] | None = None
        self._answer: Answer | None = None

    def __call__(self, counters: Mapping[str, Any], known: Optional[Mapping[str, Thing]]) -> Answer:
        names = frozenset(counters)
        if self._answer is None or known is not self._known or names != self._names:
            self._names, self._known = names, known
            self._answer = self._function(counters.keys(), known)
        return self._answer
