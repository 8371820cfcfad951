"""Makes docs/examples/report.html and .pdf and their pictures in docs/images from generated samples, as a reader would.

Usage: python docs/report_images.py [--keep FOLDER]. Needs Chromium and pdftoppm.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django.setup()

from analysis import generated  # noqa: E402  needs the settings above

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
EXAMPLES = ROOT / "docs" / "examples"
END = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 21
MACHINE = "shop02"
OUTAGE = ("2026-02-20T03:00:00Z", "2026-02-20T05:10:00Z")
PAGE = "3"
CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


def export(folder: Path, name: str, days: int) -> list[Path]:
    """The datasets of one generated machine as the portal exports them."""
    (machine,) = [machine for machine in generated.MACHINES if machine.machine_id == name]
    start = END - timedelta(days=days)
    paths = []
    for dataset, frame in generated.frames(machine, start, END, start).items():
        path = folder / f"{name}-{dataset}.csv"
        plain(frame, name).write_csv(path)
        paths.append(path)
    return paths


def plain(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    lists = [column for column, dtype in frame.schema.items() if dtype == pl.List]
    return frame.with_columns(
        pl.from_epoch("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        pl.lit(name).alias("machine_id"),
        *(pl.col(column).cast(pl.List(pl.String)).list.join(";") for column in lists),
    )


def with_an_outage(folder: Path, exports: list[Path]) -> list[Path]:
    """Samples are missing for two hours, and the machine's agent told why."""
    start, end = OUTAGE
    for path in exports:
        header, *rows = path.read_text().splitlines(keepends=True)
        at = header.rstrip().split(",").index("timestamp")
        path.write_text(header + "".join(row for row in rows if not start <= row.split(",")[at] <= end))
    events = folder / f"{MACHINE}-events.csv"
    events.write_text(
        f"machine_id,kind,since,until,detail\n{MACHINE},host_down,{start},{end},the machine was rebooted\n"
    )
    return [*exports, events]


def report(folder: Path, exports: list[Path]) -> None:
    command = [sys.executable, "-m", "reports", *map(str, exports), "--timezone", "Europe/Berlin"]
    outputs = ["--html", str(folder / "report.html"), "--pdf", str(folder / "report.pdf")]
    subprocess.run([*command, *outputs, "--title", "Monthly review"], cwd=ROOT, check=True)


def photograph(folder: Path) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        shot = f"--screenshot={IMAGES / 'report-html.png'}"
        page = (folder / "report.html").as_uri()
        command = [*CHROMIUM, f"--user-data-dir={profile}", shot, "--window-size=1100,1350", page]
        subprocess.run(command, check=True, capture_output=True)
    command = ["pdftoppm", "-r", "80", "-png", "-f", PAGE, "-l", PAGE, "-singlefile"]
    subprocess.run([*command, str(folder / "report.pdf"), str(IMAGES / "report-pdf")], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="write exports and reports there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        report(folder, with_an_outage(folder, export(folder, MACHINE, DAYS)))
        EXAMPLES.mkdir(exist_ok=True)
        for kind in ("html", "pdf"):
            shutil.copy(folder / f"report.{kind}", EXAMPLES)
        photograph(folder)


if __name__ == "__main__":
    main()
