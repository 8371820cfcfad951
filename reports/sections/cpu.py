"""CPU: time by mode, busy share, daily pattern, cores, load and waiting."""

from __future__ import annotations

import numpy as np

from reports import charts
from reports.document import Block, Figure, Paragraph
from reports.figures import View, by_hour, by_weekday, distribution, over_time, statistics_table
from reports.statistics import Values
from reports.wording import number

MODES = ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal")
MAXIMUM_CORES = 64


def build(view: View) -> tuple[Block, ...]:
    heat = by_hour(view, "CPU busy by day and hour", "cpu_busy")
    week = by_weekday(view, "CPU busy in a usual week", "cpu_busy")
    load = ("load_per_core", "run_queue_per_core")
    per_core = any(view.values(name) is not None for name in load)
    return (
        over_time(view, "CPU time by mode", MODES, stacked=True, height=170),
        over_time(view, "CPU busy", ("cpu_busy",), band=True),
        *distribution(view, "CPU busy", "cpu_busy"),
        *([heat] if heat else []),
        *([week] if week else []),
        *_cores(view),
        over_time(view, "CPU steal", ("cpu_steal",), band=True, height=90),
        over_time(view, "Load and run queue per core", load) if per_core else _plain_load(view),
        over_time(view, "CPU pressure: tasks waiting for a CPU", ("psi_cpu_some",), band=True, height=110),
        statistics_table(
            view,
            "CPU in numbers",
            ("cpu_busy", *MODES, "load_1min", "procs_running", "context_switches", "psi_cpu_some"),
        ),
    )


def _plain_load(view: View) -> Block:
    """Without a number of cores, load says little; it is shown as it is."""
    return over_time(view, "Load and run queue (number of cores not measured)", ("load_1min", "procs_running"))


def _cores(view: View) -> tuple[Block, ...]:
    cores = view.samples.cores
    if cores is None or np.isnan(cores).all():
        return (Paragraph("Core distribution: not measured. The export has no values of cpu_cores."),)
    if cores.shape[1] < 2:
        return (Paragraph("Core distribution: the machine has one core."),)
    return (_core_bars(view, cores),)


def _core_bars(view: View, cores: Values) -> Figure:
    """Mean and p95 of each core; of more than 64, the busiest 64."""
    title = "Busy time per core"
    seen = [at for at in range(cores.shape[1]) if not np.isnan(cores[:, at]).all()]
    means = {at: float(np.nanmean(cores[:, at])) for at in seen}
    shown = sorted(sorted(seen, key=lambda at: -means[at])[:MAXIMUM_CORES])
    rows = [
        {"name": f"core {at}", "value": means[at], "p95": float(np.nanpercentile(cores[:, at], 95))} for at in shown
    ]
    top, low = max(shown, key=lambda at: means[at]), min(shown, key=lambda at: means[at])
    caption = (
        f"{len(seen)} cores. Busiest: core {top}, mean {number(means[top], '%')}; idlest: core {low}, "
        f"mean {number(means[low], '%')}; spread between cores {number(means[top] - means[low], 'points')}."
    )
    names = [row["name"] for row in rows]
    spec = charts.bars(title, "%", [str(name) for name in names], maximum=100)
    return Figure(title, caption, f"{title}. {caption}", view.draw(spec, rows))
