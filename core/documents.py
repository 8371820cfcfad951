"""The pages of docs/ that are made from declarations in the code: metrics, settings, errors, and what apps add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from core import errors, settings
from core.catalogue import DATASETS, Dataset, Metric

_MADE = "<!-- Made by `make docs`; edit the code instead. -->\n"
_added: dict[str, Callable[[], str]] = {}


def add(name: str, write: Callable[[], str]) -> None:
    """A page of a folder above this one: its file name, and what writes its text."""
    _added[name] = write


def pages() -> dict[str, str]:
    """File name below docs/ -> its text."""
    own = {"metrics.md": _metrics(), "settings.md": _settings(), "errors.md": _errors()}
    return own | {name: _MADE + write() for name, write in _added.items()}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _metrics() -> str:
    intro = (
        "# Metrics\n\nEverything that is measured, from `core/catalogue.py`. 1 MB is 1,048,576 bytes; throughput is "
        "MB per second; packets, operations, errors and drops are per second; percentages are 0 to 100. A value that "
        "could not be measured is empty, never 0.\n"
    )
    return _MADE + intro + "".join(_dataset(dataset) for dataset in DATASETS.values())


def _dataset(dataset: Dataset) -> str:
    head = ("name", "unit", "kind", "over time", "range", "what it says", "source", "other names in an upload")
    title = f"\n## `{dataset.name}`\n\n{dataset.sentence} Key: {', '.join(f'`{name}`' for name in dataset.key)}.\n\n"
    return title + table(head, (_metric(metric) for metric in dataset.metrics))


def _metric(metric: Metric) -> tuple[str, ...]:
    bounds = f"{metric.minimum:g} – {metric.maximum:g}" if metric.dtype != "text" else ""
    aliases = ", ".join(f"`{alias.name}`" for alias in metric.aliases)
    kind = f"{metric.kind}, array" if metric.dtype == "real[]" else metric.kind
    return (
        f"`{metric.name}`", metric.unit, kind, metric.aggregate, bounds, metric.sentence, metric.source, aliases,
    )  # fmt: skip


def _settings() -> str:
    intro = (
        "# Settings\n\nAll from the environment, read once in `core/settings.py`. A wrong value stops the start with "
        "one sentence.\n\n"
    )
    rows = (
        (f"`{v.name}`", f"`{v.default}`" if v.default not in ("", []) else "", v.sentence) for v in settings.VARIABLES
    )
    return _MADE + intro + table(("variable", "default", "what it does"), rows)


def _errors() -> str:
    intro = (
        "# Errors\n\nEvery error of the API is "
        '`{"status":"error","error":"<sentence>","code":"<CODE>","details":[…]}`.\n\n'
    )
    rows = ((f"`{e.code}`", str(e.status), e.meaning) for e in errors.CODES.values())
    return _MADE + intro + table(("code", "HTTP", "when"), rows)
