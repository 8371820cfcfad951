"""From an export to the document of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.document import Block, Document, Section
from reports.figures import View
from reports.rules import AREAS, Judged, judge
from reports.sections import cpu, disk, memory, network, recommendations, summary
from reports.table import Export, show
from reports.wording import Clock, count, duration, number, percent

PARTS: tuple[tuple[str, str, Callable[[View], tuple[Block, ...]]], ...] = (
    ("cpu", "CPU", cpu.build),
    ("memory", "Memory", memory.build),
    ("disk", "Disk I/O", disk.build),
    ("network", "Network", network.build),
)


def build(export: Export, clock: Clock, title: str | None = None) -> Document:
    """The whole report; the same export, clock and title give an equal document."""
    judgements = [(View(machine, clock), judge(machine, clock)) for machine in export.machines]
    views = [view for view, _ in judgements]
    return Document(
        show(title or "Performance report"),
        views[0].machine.name if len(views) == 1 else count(len(views), "machine"),
        max(view.coverage.end for view in views),
        tuple((area, summary.worst(judgements, area)) for area in AREAS),
        _facts(views, clock, export.notes),
        _sections(judgements),
    )


def _sections(judgements: Sequence[tuple[View, Judged]]) -> tuple[Section, ...]:
    chapters = [Section("summary", "Executive summary", 1, summary.build(judgements))]
    several = len(judgements) > 1
    for place, (view, _) in enumerate(judgements, 1):
        prefix = f"machine-{place}-" if several else ""
        if several:
            chapters.append(Section(f"machine-{place}", view.machine.name, 1, ()))
        chapters += [Section(prefix + name, title, 2 if several else 1, make(view)) for name, title, make in PARTS]
    return (*chapters, Section("recommendations", "Recommendations", 1, recommendations.build(judgements)))


def _facts(views: Sequence[View], clock: Clock, notes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    start, end = min(view.coverage.start for view in views), max(view.coverage.end for view in views)
    seen, expected = sum(view.coverage.seen for view in views), sum(view.coverage.expected for view in views)
    facts = [
        ("Period", f"{clock.say(start)} to {clock.say(end)} ({duration(end - start)})"),
        ("Time zone", clock.name(start, end) + "; charts keep the offset at the start"),
        ("Machines", views[0].machine.name if len(views) == 1 else f"{len(views):,}"),
        ("Samples", f"{seen:,}, one every {_intervals(views)}"),
        ("Coverage", f"{percent(min(1.0, seen / expected))} of {count(expected, 'expected sample')}"),
        ("Gaps", _gaps(views)),
    ]
    return (*facts, *(("Note", note) for note in notes))


def _intervals(views: Sequence[View]) -> str:
    intervals = sorted({view.coverage.interval for view in views})
    shortest, longest = (f"{number(length / 1000)} s" for length in (intervals[0], intervals[-1]))
    return shortest if len(intervals) == 1 else f"{shortest} to {longest}"


def _gaps(views: Sequence[View]) -> str:
    gaps = [gap for view in views for gap in view.coverage.gaps]
    if not gaps:
        return "none longer than two intervals"
    total, longest = sum(gap.length for gap in gaps), max(gap.length for gap in gaps)
    return f"{len(gaps):,} longer than two intervals, {duration(total)} in all, the longest {duration(longest)}"
