"""Executive summary: the verdict per area, worst first, with its numbers, and what the data covers."""

from __future__ import annotations

from collections.abc import Sequence

from reports.document import SEVERITIES, Block, Paragraph, Severity, Table, Verdict
from reports.figures import View
from reports.measures import MEASURES, say
from reports.rules import AREAS, Area, Judged, describe
from reports.statistics import summarise
from reports.wording import count, duration, percent

KEY_MEASURES: dict[Area, tuple[str, ...]] = {
    "CPU": ("cpu_busy", "psi_cpu_some"),
    "Memory": ("mem_used_percent", "swap_traffic_mb", "psi_memory_some"),
    "Disk I/O": ("disk_mb", "disk_await_ms", "psi_io_some"),
    "Network": ("net_mb", "net_errors", "net_drops"),
}
MAXIMUM_GAPS = 12
MAXIMUM_VERDICTS = 24

Judgement = tuple[View, Judged]


def build(judgements: Sequence[Judgement]) -> tuple[Block, ...]:
    verdicts = sorted(
        (_verdict(view, judged, area) for view, judged in judgements for area in AREAS),
        key=lambda verdict: SEVERITIES.index(verdict.severity),
    )
    overview = () if len(judgements) == 1 else (_overview(judgements),)
    told = verdicts if len(judgements) == 1 else [verdict for verdict in verdicts if _is_wrong(verdict.severity)]
    return (
        Paragraph(_headline(judgements)),
        *overview,
        *told[:MAXIMUM_VERDICTS],
        *(_gap_table(judgements)),
    )


def _is_wrong(severity: Severity) -> bool:
    return severity in ("critical", "warning", "note")


def area_severity(judged: Judged, area: Area) -> Severity:
    """The worst finding decides; without findings `good`, or `unknown` when no rule of the area could look."""
    found = judged.of(area)
    if found:
        return found[0].severity
    return "good" if any(rule.area == area for rule in judged.clear) else "unknown"


def worst(judgements: Sequence[Judgement], area: Area) -> Severity:
    """Of all machines; a machine that could not be judged counts only where none could."""
    return min((area_severity(judged, area) for _, judged in judgements), key=SEVERITIES.index)


def _verdict(view: View, judged: Judged, area: Area) -> Verdict:
    severity = area_severity(judged, area)
    found = judged.of(area)
    text = "Could not be judged: the export lacks what the rules need."
    if found:
        text = ". ".join(finding.title for finding in found) + "."
    elif severity == "good":
        text = "Nothing wrong found."
    return Verdict(severity, area, view.machine.name, text, _key_numbers(view, area), _checked(judged, area))


def _checked(judged: Judged, area: Area) -> str:
    clear = [describe(rule) for rule in judged.clear if rule.area == area]
    unknown = [describe(rule) for rule in judged.unknown if rule.area == area]
    said = [f"Looked for and not found: {'; '.join(clear)}."] if clear else []
    return " ".join([*said, *([f"Not measured, or too short to judge: {'; '.join(unknown)}."] if unknown else [])])


def _key_numbers(view: View, area: Area) -> tuple[str, ...]:
    return tuple(_key_number(view, name) for name in KEY_MEASURES[area])


def _key_number(view: View, name: str) -> str:
    values, measure = view.values(name), MEASURES[name]
    summary = None if values is None else summarise(view.samples.times, values)
    return f"{measure.title}: not measured" if summary is None else say(summary, measure, view.clock)


def _headline(judgements: Sequence[Judgement]) -> str:
    findings = [finding for _, judged in judgements for finding in judged.findings]
    machines = count(len(judgements), "machine")
    if not findings:
        rules = sum(len(judged.clear) for _, judged in judgements)
        return (
            f"Nothing wrong was found on {machines}. {count(rules, 'check')} ran on the measured data; "
            "what they looked for is listed below."
        )
    tally = [
        count(amount, f"{word} finding")
        for word in ("critical", "warning", "note")
        if (amount := sum(finding.severity == word for finding in findings))
    ]
    said = tally[0] if len(tally) == 1 else f"{', '.join(tally[:-1])} and {tally[-1]}"
    worst = findings[0] if len(judgements) == 1 else min(findings, key=lambda f: SEVERITIES.index(f.severity))
    where = "" if len(judgements) == 1 else f" (on {worst.machine})"
    return f"{said.capitalize()} on {machines}. Most pressing{where}: {worst.title[0].lower()}{worst.title[1:]}."


def _overview(judgements: Sequence[Judgement]) -> Table:
    """Every machine, worst first, then by name; each area in a word."""
    from_worst = sorted(
        judgements, key=lambda item: min(SEVERITIES.index(area_severity(item[1], area)) for area in AREAS)
    )
    rows = tuple(
        (view.machine.name, *(_word(area_severity(judged, area)) for area in AREAS), percent(view.coverage.share))
        for view, judged in from_worst
    )
    return Table("Machines, worst first", ("Machine", *AREAS, "Coverage"), rows, (5,))


def _word(severity: Severity) -> str:
    return {"critical": "critical", "warning": "warning", "note": "note", "good": "ok", "unknown": "not measured"}[
        severity
    ]


def _gap_table(judgements: Sequence[Judgement]) -> tuple[Block, ...]:
    """The longest gaps; how many there are in all stands on the first page."""
    gaps = sorted(
        ((view, gap) for view, _ in judgements for gap in view.coverage.gaps),
        key=lambda item: (-item[1].length, item[0].machine.name, item[1].start),
    )
    if not gaps:
        return ()
    rows = tuple(
        (view.machine.name, view.clock.say(gap.start), view.clock.say(gap.end), duration(gap.length))
        for view, gap in gaps[:MAXIMUM_GAPS]
    )
    title = "Gaps in the data" if len(gaps) <= MAXIMUM_GAPS else f"The {MAXIMUM_GAPS} longest of {len(gaps):,} gaps"
    return (Table(title, ("Machine", "Last sample before", "First sample after", "Length"), rows, (3,)),)
