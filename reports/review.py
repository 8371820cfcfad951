"""What a report keeps of a machine once it was looked at: words and numbers, no samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.document import SEVERITIES, Finding, Severity, Verdict
from reports.figures import View
from reports.measures import MEASURES, say
from reports.rules import AREAS, Area, Judged, describe, judge
from reports.sizing import Sizing, size
from reports.statistics import Coverage, summarise
from reports.wording import number

KEY_MEASURES: Mapping[Area, tuple[str, ...]] = {
    "CPU": ("cpu_busy", "psi_cpu_some"),
    "Memory": ("mem_used_percent", "swap_traffic_mb", "psi_memory_some"),
    "Disk I/O": ("disk_mb", "disk_await_ms", "psi_io_some"),
    "Network": ("net_mb", "net_errors", "net_drops"),
}
OVERVIEW = ("cpu_busy", "mem_used_percent")
"""Measures whose p95 stands beside a machine in the list of many."""


@dataclass(frozen=True)
class Review:
    """One machine, judged. `figures` are the p95 of OVERVIEW as text."""

    name: str
    coverage: Coverage
    judged: Judged
    verdicts: tuple[Verdict, ...]
    figures: tuple[str, ...]
    sizing: Sizing

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.judged.findings

    @property
    def standing(self) -> Severity:
        return min((verdict.severity for verdict in self.verdicts), key=SEVERITIES.index)


def review(view: View) -> Review:
    """Try every rule on a machine and put its areas into words."""
    judged = judge(view.machine, view.clock)
    verdicts = tuple(_verdict(view, judged, area) for area in AREAS)
    figures = tuple(_p95(view, name) for name in OVERVIEW)
    return Review(view.machine.name, view.coverage, judged, verdicts, figures, size(view.machine))


def _p95(view: View, name: str) -> str:
    values = view.values(name)
    summary = None if values is None else summarise(view.samples.times, values)
    return "not measured" if summary is None else number(summary.p95, MEASURES[name].unit)


def _severity(judged: Judged, area: Area) -> Severity:
    """The worst finding decides; without findings `good`, or `unknown` when no rule of the area could look."""
    found = judged.of(area)
    if found:
        return found[0].severity
    return "good" if any(rule.area == area for rule in judged.clear) else "unknown"


def _verdict(view: View, judged: Judged, area: Area) -> Verdict:
    severity = _severity(judged, area)
    text = "Could not be judged: the export lacks what the rules need."
    if judged.of(area):
        text = ". ".join(finding.title for finding in judged.of(area)) + "."
    elif severity == "good":
        text = "Nothing wrong found."
    numbers = tuple(_key_number(view, name) for name in KEY_MEASURES[area])
    return Verdict(severity, area, view.machine.name, text, numbers, _checked(judged, area))


def _checked(judged: Judged, area: Area) -> str:
    clear = [describe(rule) for rule in judged.clear if rule.area == area]
    unknown = [describe(rule) for rule in judged.unknown if rule.area == area]
    said = [f"Looked for and not found: {'; '.join(clear)}."] if clear else []
    return " ".join([*said, *([f"Not measured, or too short to judge: {'; '.join(unknown)}."] if unknown else [])])


def _key_number(view: View, name: str) -> str:
    values, measure = view.values(name), MEASURES[name]
    summary = None if values is None else summarise(view.samples.times, values)
    return f"{measure.title}: not measured" if summary is None else say(summary, measure, view.clock)
