"""Memory: what is used and available, swap traffic and waiting."""

from __future__ import annotations

from reports.document import Block
from reports.figures import View, distribution, over_time, statistics_table

USE = ("mem_used_mb", "mem_available_mb", "mem_cached_mb", "mem_total_mb")


def build(view: View) -> tuple[Block, ...]:
    numbers = ("mem_used_percent", *USE, "swap_used_mb", "swap_in_mb", "swap_out_mb", "psi_memory_some")
    return (
        over_time(view, "Memory used, available and cached", USE, height=170),
        over_time(view, "Memory used, share of total", ("mem_used_percent",), band=True),
        *distribution(view, "Memory used", "mem_used_percent"),
        over_time(view, "Swap traffic", ("swap_in_mb", "swap_out_mb"), height=110),
        over_time(view, "Swap space in use", ("swap_used_mb",), height=90),
        over_time(
            view, "Memory pressure: tasks waiting for memory", ("psi_memory_some", "psi_memory_full"), height=110
        ),
        statistics_table(view, "Memory in numbers", numbers),
    )
