"""Time and memory of a report: one machine, 7 days at one minute, HTML and PDF; and the report of a whole tenant.

Usage: python -m bench.report [--machines 100] [--runs 5]. Goals: 2 s cold, 0.8 s warm, 20 s for the tenant, 500 MB.
R Markdown draws seven charts from the same CSV where Rscript and its packages are installed; else it is skipped.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reports import build, drawing, html, pdf, table
from reports.document import Figure
from reports.wording import Clock
from tests.reports import machines

ROOT = Path(__file__).resolve().parents[1]
R_MARKDOWN = Path(__file__).with_suffix(".Rmd")
"""Seven charts and a table of quantiles with ggplot2: what an analyst would write first."""


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def cold(export: Path, folder: Path) -> None:
    """A whole process, as a person or a job starts it."""
    subprocess.run(_command(export, folder), cwd=ROOT, check=True)


def _command(export: Path, folder: Path) -> list[str]:
    outputs = ["--html", str(folder / "report.html"), "--pdf", str(folder / "report.pdf")]
    return [sys.executable, "-m", "reports", str(export), *outputs]


def peak_mb(export: Path, folder: Path) -> float:
    """Of such a process. A small one starts it: a child's peak counts what its parent held when it was forked."""
    watch = "import resource as r, subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    watch += "; print(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, "-c", watch, *_command(export, folder)]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout) / 1024


def warm(export: Path) -> int:
    """The same in this process; gives the number of charts."""
    document = build.build(table.read([export]), Clock(ZoneInfo("UTC")))
    drawings = drawing.draw(document)
    html.render(document, drawings)
    pdf.render(document, drawings)
    return sum(isinstance(block, Figure) for block in document.blocks())


def write_fleet(path: Path, count: int) -> None:
    """An export of `count` machines: eight different ones under many names, one in ten with an ailment."""
    kinds = [machines.to_csv({"NAME": machines.healthy(seed)}).split("\n", 1) for seed in range(8)]
    sick = machines.healthy(9)
    sick["psi_cpu_some"][machines.hours(sick, 9, 17)] = 55.0
    unwell = machines.to_csv({"NAME": sick}).split("\n", 1)
    with path.open("w") as out:
        out.write(kinds[0][0] + "\n")
        for at in range(count):
            body = unwell[1] if at % 10 == 9 else kinds[at % 8][1]
            out.write(body.replace("NAME", f"web-{at:03d}"))


def r_markdown(export: Path, folder: Path) -> float | None:
    """Seconds for seven charts in HTML by R; None where R or its packages are not installed."""
    packages = 'quit(status = !all(sapply(c("rmarkdown", "ggplot2"), requireNamespace, quietly = TRUE)))'
    if not shutil.which("Rscript") or subprocess.run(["Rscript", "-e", packages], capture_output=True).returncode:
        return None
    source = shutil.copy(R_MARKDOWN, folder)
    command = ["Rscript", "-e", f'rmarkdown::render("{source}", params = list(export = "{export}"), quiet = TRUE)']
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=100, help="in the report of a tenant; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        one_machine(Path(name), options.runs)
        if options.machines:
            tenant(Path(name), options.machines)


def one_machine(folder: Path, runs: int) -> None:
    export = folder / "export.csv"
    export.write_text(machines.to_csv({"web-01": machines.healthy()}))
    charts = warm(export)
    cold_times = [timed(lambda: cold(export, folder)) for _ in range(runs)]
    warm_times = [timed(lambda: warm(export)) for _ in range(runs)]
    say("cold", statistics.median(cold_times), 2.0, "s", f"best {min(cold_times):.2f} s; {charts} charts, HTML and PDF")
    say("warm", statistics.median(warm_times), 0.8, "s", f"best {min(warm_times):.2f} s")
    say("peak memory", peak_mb(export, folder), 500, "MB")
    sizes = [(folder / f"report.{kind}").stat().st_size / 1024 for kind in ("html", "pdf")]
    print(f"{'sizes':14} HTML {sizes[0]:.0f} KB, PDF {sizes[1]:.0f} KB")
    other = r_markdown(export, folder)
    if other is None:
        print(f"{'R Markdown':14} skipped: R with rmarkdown and ggplot2 is not installed here")
    else:
        ratio = other / statistics.median(cold_times)
        print(
            f"{'R Markdown':14} {other:7.2f} s    7 charts, HTML alone: {ratio:.1f} times our {charts} in HTML and PDF"
        )


def tenant(folder: Path, count: int) -> None:
    export = folder / "fleet.csv"
    write_fleet(export, count)
    seconds = timed(lambda: cold(export, folder))
    say(f"{count} machines", seconds, 20, "s", f"{export.stat().st_size / 1e6:.0f} MB of CSV")
    say("peak memory", peak_mb(export, folder), 500, "MB")


def say(name: str, value: float, goal: float, unit: str, remark: str = "") -> None:
    verdict = "met" if value <= goal else "missed"
    print(f"{name:14} {value:7.2f} {unit:2}   goal {goal:g} {unit}: {verdict}   {remark}".rstrip())


if __name__ == "__main__":
    main()
