"""Before and after, side by side, money: what changed is told with its interval, and what did not is told too."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from reports import build, table
from reports.__main__ import main
from reports.comparison import Period, cliffs_delta, compare, student_quantile
from reports.document import Document, Paragraph, Table
from reports.patterns import Hourly
from reports.wording import Clock
from tests.reports import machines
from tests.reports.machines import Columns, WriteExport

START = machines.START // 3600
WEEK = 7 * 86_400_000
BEFORE = Period(machines.START * 1000, machines.START * 1000 + WEEK)
AFTER = Period(BEFORE.end, BEFORE.end + WEEK)


def week(seed: int, first_day: int = 0, days: int = 7, more: float = 0.0) -> Hourly:
    """Hours with a daily and a weekly rhythm, each day a little different from the other weeks'."""
    dice = np.random.default_rng(seed)
    hours = START + first_day * 24 + np.arange(days * 24, dtype=np.int64)
    level = 30 + 12 * np.sin(hours / 24 * 2 * np.pi) - 8 * ((hours // 24 + 3) % 7 >= 5)
    return Hourly(hours, level + np.repeat(dice.normal(0, 1, days), 24) + dice.normal(0, 1, hours.size) + more)


def test_a_real_change_is_found_with_an_interval_that_holds_it() -> None:
    found = compare(week(1), week(2, 7, more=6), 9)
    assert found is not None
    assert found.verdict == "higher"
    assert found.low <= 6 <= found.high
    assert found.delta > 0.2
    assert found.days == 7


def test_two_weeks_of_the_same_machine_show_no_real_change() -> None:
    wrong = 0
    for seed in range(0, 80, 2):
        found = compare(week(seed), week(seed + 1, 7))
        wrong += found is not None and found.is_real
    assert wrong <= 4


def test_a_weekend_is_not_compared_with_working_days() -> None:
    assert compare(week(1, 0, 5), week(2, 12, 2)) is None
    found = compare(week(1), week(2, 7, 5))
    assert found is not None
    assert not found.is_real


def test_too_few_days_are_not_compared() -> None:
    assert compare(week(1, 0, 3), week(2, 7, 7)) is None


def test_a_tiny_change_is_not_real_however_certain() -> None:
    first = week(1)
    found = compare(first, Hourly(first.hours + 168, first.means + 0.3))
    assert found is not None
    assert found.low == pytest.approx(found.high)
    assert not found.is_real


def test_cliffs_delta_counts_pairs() -> None:
    first, second = np.array([1.0, 2, 3]), np.array([2.0, 3, 4])
    pairs = [np.sign(b - a) for a in first for b in second]
    assert cliffs_delta(first, second) == pytest.approx(sum(pairs) / 9)
    assert cliffs_delta(first, np.empty(0)) == 0


TABLE = [(0.975, 6, 2.4469), (0.995, 3, 5.8409), (0.95, 30, 1.6973)]


@pytest.mark.parametrize(("probability", "freedom", "wanted"), TABLE)
def test_students_quantile_equals_the_table(probability: float, freedom: int, wanted: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(wanted, abs=2e-3)


def test_the_interval_and_the_quantile_equal_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_quantile(1 - 0.025 / 9, 6) == pytest.approx(stats.t.ppf(1 - 0.025 / 9, 6), rel=1e-4)
    first, second = week(3), week(4, 7, more=2)
    days = [series.means.reshape(7, 24).mean(axis=1) for series in (first, second)]
    interval = stats.ttest_rel(days[1], days[0]).confidence_interval(0.95)
    found = compare(first, second)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-4)


def two_weeks(slower: float) -> Columns:
    columns = machines.healthy(days=14, interval=600)
    columns["disk_await_ms"][columns["timestamp"] * 1000 >= AFTER.start] *= slower
    return columns


def document(path: Path, zone: str = "UTC") -> Document:
    extras = build.Extras((BEFORE, AFTER), {"web-01": 0.12})
    return build.build(table.read([path]), Clock(ZoneInfo(zone)), None, extras)


def section_of(document: Document, title: str) -> tuple[str, Table]:
    (section,) = [section for section in document.sections if section.title == title]
    words = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    return " ".join(words), next(block for block in section.blocks if isinstance(block, Table))


def test_a_report_names_what_changed(write: WriteExport) -> None:
    words, found = section_of(document(write({"web-01": two_weeks(1.5)})), "Before and after")
    assert "Disk await is higher by" in words
    assert "(+5" in words
    assert [row[0] for row in found.rows if row[-1] != "no real change"] == ["Disk await"]


def test_a_report_says_that_nothing_changed(write: WriteExport) -> None:
    words, _ = section_of(document(write({"web-01": two_weeks(1.0)})), "Before and after")
    assert "No real change" in words


def test_prices_give_work_for_money(write: WriteExport) -> None:
    made = document(write({"web-01": two_weeks(1), "web-02": two_weeks(1)}))
    tables = [block for section in made.sections if section.title == "Side by side" for block in section.blocks]
    money = tables[-1]
    assert isinstance(money, Table)
    ((name, price, cores, hours, *_),) = money.rows
    assert (name, price) == ("web-01", "0.12")
    assert float(hours) == pytest.approx(float(cores) / 0.12, rel=0.02)


def test_findings_as_json_hold_the_evidence_and_are_the_same_twice(write: WriteExport, tmp_path: Path) -> None:
    columns = machines.healthy(days=2, interval=600)
    columns["psi_io_full"][:] = 50
    export = str(write({"web-01": columns}))
    outputs = [tmp_path / name for name in ("one.json", "two.json")]
    for path in outputs:
        assert main([export, "--json", str(path)]) == 0
    content = json.loads(outputs[0].read_text())
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    (finding,) = content["findings"]
    assert finding["machine"] == "web-01"
    assert "of 288 samples" in finding["evidence"][0]
    assert content["standing"]["Disk I/O"] == "critical"
    assert content["facts"]["Coverage"] == "100 % of 288 expected samples"


def test_one_chart_as_svg_and_png(write: WriteExport, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = str(write({"web-01": machines.healthy(days=1, interval=600)}))
    for kind, start in ((".svg", b"<svg"), (".png", b"\x89PNG")):
        path = tmp_path / f"chart{kind}"
        assert main([export, "--chart", "cpu-busy", str(path)]) == 0
        assert path.read_bytes().startswith(start)
    assert main([export, "--chart", "gone", str(tmp_path / "x.svg")]) == 2
    assert "there are: cpu-time-by-mode, cpu-busy," in capsys.readouterr().err


def test_the_command_compares_in_its_own_zone(write: WriteExport, tmp_path: Path) -> None:
    export = str(write({"web-01": two_weeks(1.5)}))
    periods = ["--before", "2026-01-05..2026-01-12", "--after", "2026-01-12..2026-01-19"]
    page = tmp_path / "out.html"
    assert main([export, "--html", str(page), "--timezone", "Europe/Berlin", *periods, "--price", "web-01=0.1"]) == 0
    assert "Before: 2026-01-05 00:00 to 2026-01-12 00:00" in page.read_text()
