"""From an export to the document of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.comparison import Period
from reports.document import Block, Document, Paragraph, Section, Table
from reports.events import UNKNOWN
from reports.figures import View
from reports.review import Review, review
from reports.rules import AREAS
from reports.sections import compare, cpu, disk, memory, network, outlook, recommendations, summary
from reports.table import Export, Machines, show
from reports.wording import Clock, count, duration, number, percent

PARTS: tuple[tuple[str, str, Callable[[View], tuple[Block, ...]]], ...] = (
    ("cpu", "CPU", cpu.build),
    ("memory", "Memory", memory.build),
    ("disk", "Disk I/O", disk.build),
    ("network", "Network", network.build),
    ("outlook", "Patterns and forecast", outlook.build),
)
ALL_IN_DETAIL = 8
WORST_IN_DETAIL = 5
"""Of more than eight machines, the five worst have a chapter; all stand in the list of the summary."""
GAPS_TOLD = 6


@dataclass(frozen=True)
class Extras:
    """What a reader may ask for besides: two periods to compare, and the price of an hour by machine."""

    periods: tuple[Period, Period] | None = None
    prices: Mapping[str, float] = field(default_factory=dict)


def build(export: Export, clock: Clock, title: str | None = None, extras: Extras | None = None) -> Document:
    """The whole report; the same export, clock, title and extras give an equal document."""
    reviews = [review(View(machine, clock)) for machine in export.machines]
    return Document(
        show(title or "Performance report"),
        reviews[0].name if len(reviews) == 1 else count(len(reviews), "machine"),
        max(each.coverage.end for each in reviews),
        tuple((area, summary.worst(reviews, area)) for area in AREAS),
        (*_facts(reviews, clock, export.notes), ("Source", _made_from(export))),
        (*_sections(reviews, export.machines, clock, extras or Extras()), _sources(export)),
        tuple(finding for each in reviews for finding in each.findings),
        tuple(verdict for each in reviews for verdict in each.verdicts),
    )


def _made_from(export: Export) -> str:
    whose = "its" if len(export.sources) == 1 else "their"
    return f"{count(len(export.sources), 'file')}, named with {whose} SHA-256 at the end"


def _sources(export: Export) -> Section:
    """The files, so that every figure can be worked out again from the same bytes."""
    table = Table("Files", ("File", "Bytes", "SHA-256"), export.sources, (1,))
    words = Paragraph("Every figure of this report can be worked out again from these files, and from nothing else.")
    return Section("sources", "What this report was made from", 1, (words, table))


def _sections(reviews: Sequence[Review], machines: Machines, clock: Clock, extras: Extras) -> Iterator[Section]:
    yield Section("summary", "Executive summary", 1, summary.build(reviews, clock))
    several = len(reviews) > 1
    detailed = _detailed(reviews)
    if several or extras.prices:
        views = [View(machines[place], clock) for place in detailed]
        yield Section("side-by-side", "Side by side", 1, compare.side_by_side(views, extras.prices))
    for place in detailed:
        view = View(machines[place], clock)
        prefix = f"machine-{place + 1}-" if several else ""
        if several:
            yield Section(f"machine-{place + 1}", view.machine.name, 1, ())
        if extras.periods:
            blocks = compare.before_and_after(view, *extras.periods)
            yield Section(f"{prefix}before-after", "Before and after", 2 if several else 1, blocks)
        for name, title, make in PARTS:
            yield Section(prefix + name, title, 2 if several else 1, make(view))
    yield Section("recommendations", "Recommendations", 1, recommendations.build(reviews))


def _detailed(reviews: Sequence[Review]) -> list[int]:
    """Positions of the machines that have a chapter, in their order."""
    if len(reviews) <= ALL_IN_DETAIL:
        return list(range(len(reviews)))
    worst = summary.worst_first(reviews)[:WORST_IN_DETAIL]
    return [at for at, each in enumerate(reviews) if each in worst]


def _facts(reviews: Sequence[Review], clock: Clock, notes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    coverages = [each.coverage for each in reviews]
    start, end = min(each.start for each in coverages), max(each.end for each in coverages)
    seen, expected = sum(each.seen for each in coverages), sum(each.expected for each in coverages)
    facts = [
        ("Period", f"{clock.say(start)} to {clock.say(end)} ({duration(end - start)})"),
        ("Time zone", clock.name(start, end) + "; charts keep the offset at the start"),
        ("Machines", reviews[0].name if len(reviews) == 1 else _machines(len(reviews))),
        ("Samples", f"{seen:,}, one every {_intervals(reviews)}"),
        ("Coverage", f"{percent(min(1.0, seen / expected))} of {count(expected, 'expected sample')}"),
        ("Gaps", _gaps(reviews, clock)),
    ]
    return (*facts, *(("Note", note) for note in notes))


def _machines(amount: int) -> str:
    if amount <= ALL_IN_DETAIL:
        return f"{amount:,}"
    return f"{amount:,}; all in the summary, the {WORST_IN_DETAIL} worst with a chapter of their own"


def _intervals(reviews: Sequence[Review]) -> str:
    intervals = sorted({each.coverage.interval for each in reviews})
    shortest, longest = (f"{number(length / 1000)} s" for length in (intervals[0], intervals[-1]))
    return shortest if len(intervals) == 1 else f"{shortest} to {longest}"


def _reason(words: str) -> str:
    return "reason unknown" if words == UNKNOWN else words


def _gaps(reviews: Sequence[Review], clock: Clock) -> str:
    """How many, how long, and each of the longest with its moment."""
    gaps = [(each.name, gap) for each in reviews for gap in each.coverage.gaps]
    if not gaps:
        return "none longer than two intervals"
    longest = sorted(gaps, key=lambda item: (-item[1].length, item[0], item[1].start))[:GAPS_TOLD]
    told = [
        f"{clock.say(gap.start)} to {clock.say(gap.end)} ({duration(gap.length)}, {_reason(gap.reason)})"
        + (f" on {name}" if len(reviews) > 1 else "")
        for name, gap in sorted(longest, key=lambda item: (item[1].start, item[0]))
    ]
    total = duration(sum(gap.length for _, gap in gaps))
    which = f"the {GAPS_TOLD} longest: " if len(gaps) > GAPS_TOLD else ""
    return f"{len(gaps):,} longer than two intervals, {total} in all: {which}{'; '.join(told)}"
