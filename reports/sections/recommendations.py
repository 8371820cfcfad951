"""Recommendations: every finding with its evidence, then what was checked and found well, and what could not be."""

from __future__ import annotations

from collections.abc import Sequence

from reports.document import SEVERITIES, Block, Paragraph, Table
from reports.figures import View
from reports.rules import RULES, Judged, Rule, describe


def build(judgements: Sequence[tuple[View, Judged]]) -> tuple[Block, ...]:
    findings = sorted(
        (finding for _, judged in judgements for finding in judged.findings),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    intro = (
        "Each recommendation is a declared rule whose condition the data met; the evidence is quoted with it."
        if findings
        else "No rule found anything wrong, so there is nothing to recommend. What was checked is listed below."
    )
    return (Paragraph(intro), *findings, _checks(judgements))


def _checks(judgements: Sequence[tuple[View, Judged]]) -> Table:
    rows = tuple((rule.area, rule.title, describe(rule), _outcome(rule, judgements)) for rule in RULES)
    return Table("What was checked", ("Area", "Rule", "Condition", "Outcome"), rows)


def _outcome(rule: Rule, judgements: Sequence[tuple[View, Judged]]) -> str:
    fired = sum(any(finding.title == rule.title for finding in judged.findings) for _, judged in judgements)
    clear = sum(rule in judged.clear for _, judged in judgements)
    unknown = sum(rule in judged.unknown for _, judged in judgements)
    skipped = len(judgements) - fired - clear - unknown
    if len(judgements) == 1:
        return "met" if fired else "clear" if clear else "not measured" if unknown else "not needed"
    said = ((fired, "met"), (clear, "clear"), (unknown, "not measured"), (skipped, "not needed"))
    return ", ".join(f"{amount} {word}" for amount, word in said if amount)
