"""Recommendations: every finding with its evidence, then what was checked and found well, and what could not be."""

from __future__ import annotations

from collections.abc import Sequence

from reports.document import SEVERITIES, Block, Finding, Paragraph, Table
from reports.review import Review
from reports.rules import RULES, Rule, describe
from reports.sizing import CPU_TARGET, MEMORY_TARGET, MINIMUM_DAYS, Size
from reports.wording import count, number

IN_FULL = 3
"""Findings of one rule that are told with their evidence; further machines are named."""
NAMED = 40
MAXIMUM_SIZES = 60
ALL_SIZES = 8
"""Of more machines, only what does not fit is listed."""


def build(reviews: Sequence[Review]) -> tuple[Block, ...]:
    findings = sorted(
        (finding for review in reviews for finding in review.findings),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    intro = (
        "Each recommendation is a declared rule whose condition the data met; the evidence is quoted with it."
        if findings
        else "No rule found anything wrong, so there is nothing to recommend. What was checked is listed below."
    )
    by_rule = {title: [finding for finding in findings if finding.title == title] for title in _titles(findings)}
    told = [block for same in by_rule.values() for block in _told(same)]
    return (Paragraph(intro), *told, *_sizes(reviews), _checks(reviews))


def _titles(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(finding.title for finding in findings))


def _told(same: Sequence[Finding]) -> list[Block]:
    others = [finding.machine for finding in same[IN_FULL:]]
    if not others:
        return list(same)
    more = f" and {count(len(others) - NAMED, 'other')}" if len(others) > NAMED else ""
    names = f"{', '.join(others[:NAMED])}{more}"
    return [*same[:IN_FULL], Paragraph(f"{same[0].title}: also on {count(len(others), 'machine')}: {names}.")]


def _sizes(reviews: Sequence[Review]) -> tuple[Block, ...]:
    """Right-sizing of every machine of which it can be told, those that do not fit first."""
    rows = [
        (review.name, what, *_size(found, unit))
        for review in reviews
        for what, found, unit in (("CPU cores", review.sizing.cores, ""), ("Memory", review.sizing.memory_mb, "MB"))
        if found is not None
    ]
    if not rows:
        return (Paragraph(f"Right-sizing: not told. It asks for {MINIMUM_DAYS} days, cores and memory."),)
    ordered = sorted(rows, key=lambda row: row[-1] == "fits")
    fitting = sum(row[-1] == "fits" for row in rows)
    if len(reviews) > ALL_SIZES:
        ordered = ordered[: len(rows) - fitting]
    if not ordered:
        return (Paragraph(f"Right-sizing: all of the {count(fitting, 'size')} looked at fit. {_would_do()}"),)
    header = ("Machine", "What", "Present", "Used at p99", "Would do", "Verdict")
    others = f"{fitting} of {count(len(rows), 'size')} fit. " if len(reviews) > ALL_SIZES else ""
    table = Table("Right-sizing", header, tuple(ordered[:MAXIMUM_SIZES]), (2, 3, 4))
    return (table, Paragraph(f"{others}{_would_do()}"))


def _would_do() -> str:
    return (
        f"Would do: the next power of two with which the p99 of this period stays under {CPU_TARGET:g} % of the cores "
        f"and {MEMORY_TARGET:g} % of the memory. Peaks that this period does not hold are not in it."
    )


def _size(found: Size, unit: str) -> tuple[str, str, str, str]:
    suggested = "more" if found.suggested is None else number(found.suggested, unit)
    return (number(found.present, unit), number(found.used, unit), suggested, found.verdict)


def _checks(reviews: Sequence[Review]) -> Table:
    rows = tuple((rule.area, rule.title, describe(rule), _outcome(rule, reviews)) for rule in RULES)
    return Table("What was checked", ("Area", "Rule", "Condition", "Outcome"), rows)


def _outcome(rule: Rule, reviews: Sequence[Review]) -> str:
    fired = sum(any(finding.title == rule.title for finding in review.findings) for review in reviews)
    clear = sum(rule in review.judged.clear for review in reviews)
    unknown = sum(rule in review.judged.unknown for review in reviews)
    skipped = len(reviews) - fired - clear - unknown
    if len(reviews) == 1:
        return "met" if fired else "clear" if clear else "not measured" if unknown else "not needed"
    said = ((fired, "met"), (clear, "clear"), (unknown, "not measured"), (skipped, "not needed"))
    return ", ".join(f"{amount} {word}" for amount, word in said if amount)
