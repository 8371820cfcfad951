"""Makes a queued report: exports its samples to files, and runs `python -m reports` on them in a process of its own.

So a report from the portal is what anybody gets from the same export, its memory is given back when it is done, and a
worker that is asked to stop ends it at once.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
from django.conf import settings

from accounts import tenant_settings
from analysis.export import Selection, choose_metrics
from analysis.export_parquet import parquet
from collectors import event_export
from collectors.models import Collector
from core.catalogue import DATASETS
from core.tenancy import current_schema
from reports.jobs import queue
from reports.jobs.models import Report

logger = logging.getLogger("perfanalysis.reports")

MOST_SECONDS = 900.0
RENEW_SECONDS = 10.0
POLL_SECONDS = 0.2
NICENESS = "10"
REPORTED = ("system", "disks", "interfaces", "filesystems")
"""The datasets that a report is made from."""


class LostError(Exception):
    """The report was deleted, or is another worker's by now."""


class StoppedError(Exception):
    """The worker was asked to stop."""


class FailedError(Exception):
    """The sentence is for the person who asked."""


def make(report: Report, stopped: Callable[[], bool]) -> str:
    """Make it and store it, or store why it could not be made; says what was done."""
    try:
        with tempfile.TemporaryDirectory(prefix="report-") as folder:
            files = _make(report, Path(folder), stopped)
        done = queue.finish(report, files)
    except StoppedError:
        queue.give_back(report)
        return f"{report.public_id} given back"
    except LostError:
        return f"{report.public_id} is gone"
    except FailedError as error:
        queue.fail(report, str(error))
        return f"{report.public_id} failed"
    return f"{report.public_id} made" if done else f"{report.public_id} is gone"


def _make(report: Report, folder: Path, stopped: Callable[[], bool]) -> dict[str, bytes]:
    exports = [_export(report, name, folder, stopped) for name in REPORTED]
    if not _has_rows(exports[0]):
        raise FailedError("There are no samples of these machines in this period.")
    _renew(report, "Computing and drawing", stopped)
    targets = {form: folder / f"report.{form}" for form in queue.FORMS}
    options = [word for form, path in targets.items() for word in (f"--{form}", str(path))]
    sources = [str(path) for path in exports if _has_rows(path)] + [str(_events(report, folder))]
    words = [f"--title={report.title}", f"--timezone={report.time_zone}"]
    words += [f"--period={report.start.isoformat()}..{_until(report).isoformat()}"]
    words += _brand(folder)
    words += [f"--absent={name}" for name in sorted(_chosen(report) - _present(exports[0]))]
    command = ["nice", "-n", NICENESS, sys.executable, "-m", "reports", *sources, *words, *options]
    _run(command, report, folder, stopped)
    return {form: path.read_bytes() for form, path in targets.items()}


def _export(report: Report, name: str, folder: Path, stopped: Callable[[], bool]) -> Path:
    """The dataset as Parquet."""
    _renew(report, f"Reading the samples of {name}", stopped)
    dataset, path = DATASETS[name], folder / f"{name}.parquet"
    metrics = choose_metrics(dataset, ())
    selection = Selection(current_schema(), dataset, metrics, _machines(report), report.start, report.end)
    renewed = time.monotonic()
    with path.open("wb") as file:
        for piece in parquet(selection):
            file.write(piece)
            if time.monotonic() - renewed > RENEW_SECONDS:
                _renew(report, f"Reading the samples of {name}", stopped)
                renewed = time.monotonic()
    return path


def _events(report: Report, folder: Path) -> Path:
    """Why there are gaps."""
    path = folder / "events.csv"
    path.write_text(
        event_export.as_csv(event_export.told(_machines(report), report.start, _until(report))), encoding="utf-8"
    )
    return path


def _machines(report: Report) -> list[Collector]:
    chosen = _chosen(report)
    return [machine for machine in Collector.objects.all() if machine.machine_id in chosen]


def _until(report: Report) -> datetime:
    """What is still to come when a report is asked for is no gap."""
    return min(report.end, report.created_at.replace(second=0, microsecond=0))


def _brand(folder: Path) -> list[str]:
    """The tenant's, as options."""
    settings, logo, path = tenant_settings.read(), tenant_settings.logo(), folder / "logo.png"
    path.write_bytes(logo)
    words = [f"--brand-name={settings.brand_name}", f"--brand-colour={settings.brand_colour}"]
    return [*words, *([f"--logo={path}"] if logo else [])]


def _present(system: Path) -> set[str]:
    return set(pl.scan_parquet(system).select(pl.col("machine_id").unique()).collect()["machine_id"].to_list())


def _has_rows(path: Path) -> bool:
    return bool(pl.scan_parquet(path).select(pl.len()).collect().item())


def _chosen(report: Report) -> set[str]:
    return set(report.machine_ids or Collector.objects.values_list("machine_id", flat=True))


def _renew(report: Report, progress: str, stopped: Callable[[], bool]) -> None:
    if stopped():
        raise StoppedError
    if not queue.renew(report, progress):
        raise LostError


def _run(command: list[str], report: Report, folder: Path, stopped: Callable[[], bool]) -> None:
    """In the project's folder, without its secrets."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZDIR") if name in os.environ}
    said, began = folder / "said", time.monotonic()
    with (
        said.open("wb") as log,
        subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stderr=log) as process,
    ):
        try:
            renewed = began
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                now = time.monotonic()
                if now - began > MOST_SECONDS:
                    raise FailedError(f"It took longer than {MOST_SECONDS / 60:.0f} minutes: choose a shorter period.")
                if stopped():
                    raise StoppedError
                if now - renewed > RENEW_SECONDS:
                    _renew(report, "Computing and drawing", stopped)
                    renewed = now
        finally:
            process.kill()
    if process.returncode:
        raise FailedError(_reason(said.read_text(errors="replace"), report, process.returncode))


def _reason(said: str, report: Report, code: int) -> str:
    """The command's own sentence for bad input (2); anything else is a bug or a lack of memory, and is logged."""
    last = said.strip().rpartition("\n")[2].removeprefix("reports: ")
    if code == 2 and last:
        return last[:1].upper() + last[1:]
    logger.error("report %s ended with %d: %s", report.public_id, code, said[-4000:])
    return (
        f"It could not be made (the process ended with {code}). The portal's log tells more under {report.public_id}."
    )
