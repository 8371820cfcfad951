"""Executive summary: the verdict per area, worst first, with its numbers, and what the data covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.document import SEVERITIES, WORDS, Block, Paragraph, Severity, Table, Verdict
from reports.measures import MEASURES
from reports.review import OVERVIEW, Review
from reports.rules import AREAS, Area
from reports.wording import Clock, count, duration, percent

MAXIMUM_GAPS = 12
MAXIMUM_VERDICTS = 24
IN_FULL = 3
NAMED = 40


def build(reviews: Sequence[Review], clock: Clock) -> tuple[Block, ...]:
    verdicts = sorted(
        (verdict for review in reviews for verdict in review.verdicts),
        key=lambda verdict: SEVERITIES.index(verdict.severity),
    )
    overview = () if len(reviews) == 1 else (_overview(reviews),)
    if len(reviews) > 1:
        verdicts = [replace(verdict, checked="") for verdict in verdicts if _is_wrong(verdict.severity)]
    return (
        Paragraph(_headline(reviews)),
        *_told(verdicts),
        *overview,
        *_gap_table(reviews, clock),
    )


def _told(verdicts: Sequence[Verdict]) -> list[Block]:
    """Of verdicts that say the same, a few with their numbers; the others by the names of the machines."""
    said: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        said.setdefault((verdict.severity, verdict.area, verdict.text), []).append(verdict)
    told = [block for same in said.values() for block in _same(same)]
    many = len(told) - MAXIMUM_VERDICTS
    more = [Paragraph(f"{count(many, 'further verdict')} stand in the list of machines.")] if many > 0 else []
    return [*told[:MAXIMUM_VERDICTS], *more]


def _same(verdicts: Sequence[Verdict]) -> list[Block]:
    others = [verdict.machine for verdict in verdicts[IN_FULL:]]
    if not others:
        return list(verdicts)
    more = f" and {count(len(others) - NAMED, 'other')}" if len(others) > NAMED else ""
    where = f"{count(len(others), 'machine')}: {', '.join(others[:NAMED])}{more}"
    first = verdicts[0]
    return [*verdicts[:IN_FULL], Paragraph(f"{first.area}, {WORDS[first.severity].lower()}: the same on {where}.")]


def worst(reviews: Sequence[Review], area: Area) -> Severity:
    """Of all machines; a machine that could not be judged counts only where none could."""
    severities = [verdict.severity for review in reviews for verdict in review.verdicts if verdict.area == area]
    return min(severities, key=SEVERITIES.index)


def worst_first(reviews: Sequence[Review]) -> list[Review]:
    """By standing, then by the number of findings; then as they came, by name."""
    return sorted(reviews, key=lambda review: (SEVERITIES.index(review.standing), -len(review.findings)))


def _is_wrong(severity: Severity) -> bool:
    return severity in ("critical", "warning", "note")


def _headline(reviews: Sequence[Review]) -> str:
    findings = [finding for review in reviews for finding in review.findings]
    machines = count(len(reviews), "machine")
    if not findings:
        rules = sum(len(review.judged.clear) for review in reviews)
        return (
            f"Nothing wrong was found on {machines}. {count(rules, 'check')} ran on the measured data; "
            "what they looked for is listed below."
        )
    tally = [
        count(amount, f"{word} finding" if word != "note" else "note")
        for word in ("critical", "warning", "note")
        if (amount := sum(finding.severity == word for finding in findings))
    ]
    said = tally[0] if len(tally) == 1 else f"{', '.join(tally[:-1])} and {tally[-1]}"
    worst = min(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    where = "" if len(reviews) == 1 else f" (on {worst.machine})"
    return f"{said.capitalize()} on {machines}. Most pressing{where}: {worst.title[0].lower()}{worst.title[1:]}."


def _overview(reviews: Sequence[Review]) -> Table:
    """Every machine, worst first; each area in a word."""
    rows = tuple(
        (
            review.name,
            *(_word(verdict.severity) for verdict in review.verdicts),
            *review.figures,
            percent(review.coverage.share),
        )
        for review in worst_first(reviews)
    )
    figures = tuple(f"{MEASURES[name].title} p95" for name in OVERVIEW)
    return Table("Machines, worst first", ("Machine", *AREAS, *figures, "Coverage"), rows, (5, 6, 7))


def _word(severity: Severity) -> str:
    return {"good": "ok", "unknown": "not measured"}.get(severity, severity)


def _gap_table(reviews: Sequence[Review], clock: Clock) -> tuple[Block, ...]:
    """The longest gaps; how many there are in all stands on the first page."""
    gaps = sorted(
        ((review.name, gap) for review in reviews for gap in review.coverage.gaps),
        key=lambda item: (-item[1].length, item[0], item[1].start),
    )
    if not gaps:
        return ()
    rows = tuple(
        (name, clock.say(gap.start), clock.say(gap.end), duration(gap.length), gap.reason)
        for name, gap in gaps[:MAXIMUM_GAPS]
    )
    title = "Gaps in the data" if len(gaps) <= MAXIMUM_GAPS else f"The {MAXIMUM_GAPS} longest of {len(gaps):,} gaps"
    return (Table(title, ("Machine", "Last sample before", "First sample after", "Length", "Reason"), rows, (3,)),)
