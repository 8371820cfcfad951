"""What `docs/export.md` shows in R and Python runs as it stands, on an export, with whatever of it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reports import reading
from tests.reports import machines

GUIDE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines' four days with a gap and with a value that was not measured, as CSV and Parquet."""
    folder = tmp_path_factory.mktemp("guide")
    gappy = machines.gap(machines.healthy(1, days=4, interval=300), 200, 260)
    gappy["disk_await_ms"][5] = np.nan
    text = machines.to_csv({"web-01": gappy, "web-02": machines.healthy(2, days=4, interval=300)})
    (folder / "week.csv").write_text(text)
    frame = pl.read_csv(text.encode(), try_parse_dates=True)
    frame.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).write_parquet(folder / "week.parquet")
    return folder


@pytest.mark.skipif(
    shutil.which("Rscript") is None, reason="R is not installed: apt install r-base-core r-cran-ggplot2"
)
def test_the_snippets_in_r_run_and_draw(exports: Path) -> None:
    """In order, as one reads them; those whose package is missing are left out."""
    installed = run(["Rscript", "-e", 'cat(rownames(installed.packages()), sep = "\\n")'], exports).split()
    wanted = [text for text in snippets("r") if set(re.findall(r"library\((\w+)\)", text)) <= set(installed)]
    assert wanted
    script = exports / "guide.R"
    script.write_text("options(warn = 2)\npdf('guide.pdf')\n" + "\n".join(wanted) + "\ninvisible(dev.off())\n")
    run(["Rscript", str(script)], exports)
    assert (exports / "guide.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("text", snippets("python"))
def test_a_snippet_in_python_runs(exports: Path, text: str) -> None:
    if "PORTAL" in text:
        pytest.skip("asks a portal")
    for module in {name.split(".")[0] for name in re.findall(r"^import ([\w.]+)", text, re.MULTILINE)}:
        pytest.importorskip(module)
    run([sys.executable, "-c", text], exports, MPLBACKEND="Agg")


def test_the_files_of_the_guide_are_what_a_report_reads(exports: Path) -> None:
    dataset, parts, notes = reading.read_file(exports / "week.csv")
    assert (dataset.name, list(parts), notes) == ("system", ["web-01", "web-02"], [])


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout
