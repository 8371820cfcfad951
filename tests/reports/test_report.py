"""The report as a whole: from the command line to files, with honest words, inert names and stable bytes."""

from __future__ import annotations

import base64
import hashlib
import html as escaping
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.catalogue import SYSTEM
from reports import build, drawing, html, pdf, table
from reports.__main__ import main
from reports.document import Block, Document, Figure, Paragraph, Table, Verdict
from reports.wording import Clock
from tests.reports import machines
from tests.reports.machines import WriteExport

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]
HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    '#read("/etc/passwd")#panic()',
    "*bold* _it_ $x$ @ref `raw` \\ // <label> = head",
    "\u202egnp.exe\u2066",
    '"><img src=x onerror=alert(1)>',
    "=cmd|'/c calc'!A1",
    "../../etc/passwd",
)


def make(*paths: Path, zone: str = "Europe/Berlin", title: str | None = None) -> Document:
    return build.build(table.read(paths), Clock(ZoneInfo(zone)), title)


def render(document: Document) -> tuple[str, bytes]:
    drawings = drawing.draw(document)
    return html.render(document, drawings), pdf.render(document, drawings)


def text_of(data: bytes, tmp_path: Path) -> str:
    """The words of a PDF."""
    path = tmp_path / "text.pdf"
    path.write_bytes(data)
    return subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True, text=True).stdout


def said(document: Document) -> list[str]:
    """Every paragraph and verdict of a document."""
    blocks = document.blocks()
    paragraphs = [block.text for block in blocks if isinstance(block, Paragraph)]
    return paragraphs + [f"{block.text} {' '.join(block.numbers)}" for block in blocks if isinstance(block, Verdict)]


def test_the_sections_stand_in_order(write: WriteExport) -> None:
    document = make(write({"web-01": machines.healthy(days=2, interval=300)}))
    assert [section.title for section in document.sections] == [
        "Executive summary",
        "CPU",
        "Memory",
        "Disk I/O",
        "Network",
        "Patterns and forecast",
        "Recommendations",
        "What this report was made from",
    ]
    assert sum(isinstance(block, Figure) for block in document.blocks()) >= 12


def test_the_first_page_tells_period_zone_coverage_and_gaps(write: WriteExport) -> None:
    columns = machines.gap(machines.healthy(days=2, interval=300), 100, 150)
    facts = dict(make(write({"web-01": columns})).facts)
    assert facts["Period"] == "2026-01-05 01:00 to 2026-01-07 00:55 (1 d 23 h)"
    assert facts["Time zone"].startswith("Europe/Berlin (UTC+01:00)")
    assert facts["Samples"] == "526, one every 300 s"
    assert facts["Coverage"] == "91.3 % of 576 expected samples"
    assert facts["Gaps"] == (
        "1 longer than two intervals, 4 h 15 min in all: "
        "2026-01-05 09:15 to 2026-01-05 13:30 (4 h 15 min, reason unknown)"
    )


def test_the_report_names_its_files_by_their_hash(write: WriteExport) -> None:
    columns = machines.healthy(days=0.1, interval=600)
    paths = [write({"web-01": columns}, f"{number}.csv") for number in range(2)]
    document = make(*paths)
    assert dict(document.facts)["Source"] == "2 files, named with their SHA-256 at the end"
    (files,) = [block for block in document.sections[-1].blocks if isinstance(block, Table)]
    assert [row[2] for row in files.rows] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_a_change_of_the_clock_is_told() -> None:
    before = 1_774_600_000_000
    assert Clock(ZoneInfo("Europe/Berlin")).name(before, before + 3 * 86_400_000) == (
        "Europe/Berlin (UTC+01:00, after the clock change UTC+02:00)"
    )


def test_verdicts_come_worst_first(write: WriteExport) -> None:
    columns = machines.healthy(days=2, interval=300)
    columns["net_rx_drops"][:] = 30
    columns["psi_io_full"][:] = 50
    document = make(write({"web-01": columns}))
    verdicts = [block for block in document.sections[0].blocks if isinstance(block, Verdict)]
    assert [(verdict.area, verdict.severity) for verdict in verdicts[:2]] == [
        ("Disk I/O", "critical"),
        ("Network", "warning"),
    ]
    (headline,) = [block for block in document.sections[0].blocks if isinstance(block, Paragraph)]
    assert headline.text == (
        "1 critical finding and 1 warning finding on 1 machine. "
        "Most pressing: all tasks at once stand still for disk I/O."
    )


def test_nothing_wrong_says_what_was_looked_for(write: WriteExport) -> None:
    document = make(write({"web-01": machines.healthy(days=2, interval=300)}))
    (cpu,) = [block for block in document.blocks() if isinstance(block, Verdict) and block.area == "CPU"]
    assert cpu.text == "Nothing wrong found."
    assert "CPU pressure at or above 25 % in 2 % of samples" in cpu.checked
    assert "Not measured, or too short to judge: " in cpu.checked
    assert "p99 of CPU busy at or below 10 %" in cpu.checked


def test_a_missing_column_is_not_measured_and_never_zero(write: WriteExport) -> None:
    gone = tuple(name for name in SYSTEM.metric_names if name.startswith(("psi_", "net_", "swap_", "cpu_cores")))
    document = make(write({"web-01": machines.healthy(days=1, interval=300)}, leave_out=gone))
    words = said(document)
    assert any(line.startswith("Network bandwidth: not measured.") for line in words)
    assert any(line.startswith("Core distribution: not measured.") for line in words)
    (network,) = [block for block in document.blocks() if isinstance(block, Verdict) and block.area == "Network"]
    assert network.severity == "unknown"
    rows = [row for block in document.blocks() if isinstance(block, Table) for row in block.rows]
    assert ("CPU pressure", "%", "not measured", "", "", "", "", "", "", "0") in rows
    render(document)


@pytest.mark.parametrize("name", [metric.name for metric in SYSTEM.metrics])
def test_a_report_needs_no_particular_column(name: str, write: WriteExport) -> None:
    make(write({"web-01": machines.healthy(days=0.2, interval=600)}, leave_out=(name,)))


@pytest.mark.parametrize("name", ["cpu_user", "mem_used_mb", "cpu_cores", "net_rx_errors"])
def test_one_column_and_one_sample_make_a_report(name: str, write: WriteExport) -> None:
    others = tuple(metric for metric in SYSTEM.metric_names if metric != name)
    columns = machines.gap(machines.healthy(days=0.1), 1, 10_000)
    document = make(write({"web-01": columns}, leave_out=others))
    page, book = render(document)
    assert "web-01" in page
    assert book.startswith(b"%PDF")


def test_the_same_data_gives_the_same_bytes(write: WriteExport) -> None:
    path = write({"web-01": machines.healthy(days=1, interval=300)})
    assert render(make(path)) == render(make(path))


def test_the_pdf_is_dated_by_its_data(write: WriteExport, tmp_path: Path) -> None:
    data = render(make(write({"web-01": machines.healthy(days=1, interval=300)})))[1]
    assert b"D:20260105235500" in data.replace(b" ", b"") or b"2026-01-05T23:55:00" in data


def test_hostile_names_are_plain_text_in_html_and_pdf(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    clean = [name.replace('"', '""') for name in HOSTILE]
    rows = [f'2026-01-05T{hour:02d}:00:00Z,"{name}",{hour}' for name in clean for hour in range(12)]
    path.write_text("timestamp,machine_id,cpu_user\n" + "\n".join(rows) + "\n", encoding="utf-8")
    page, book = render(make(path, title='#read("/etc/passwd") <b>{{7*7}}'))
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "<b>" not in page
    assert "\u202e" not in page
    assert "\\u202egnp.exe\\u2066" in page
    for name in HOSTILE[:4]:
        assert str(escaping.escape(name, quote=False)).replace("&quot;", '"') in page.replace("&#34;", '"').replace(
            "&#39;", "'"
        )
    if shutil.which("pdftotext"):
        words = re.sub(r"[\s\u200b]+", "", text_of(book, tmp_path))
        assert "{{7*7}}" in words
        assert '#read("/etc/passwd")#panic()' in words
        assert "<script>alert(1)</script>" in words
        assert "root:" not in words


def test_hostile_device_names_are_plain_text_in_charts(write: WriteExport, tmp_path: Path) -> None:
    disks = tmp_path / "disks.csv"
    name = "<script>alert(1)</script>['x'].y"
    rows = [f"2026-01-05T00:{minute:02d}:00Z,web-01,{name},1,2,3" for minute in range(9)]
    header = "timestamp,machine_id,device,read_mb,queue_depth,write_await_ms\n"
    disks.write_text(header + "\n".join(rows) + "\n")
    page, _ = render(make(write({"web-01": machines.healthy(days=0.1)}), disks))
    assert "Queue depth by device" in page
    assert page.count("<script") == 1


def test_a_name_with_a_line_break_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b'timestamp,machine_id,cpu_user\n2026-01-05T00:00:00Z,"a\r\nb",1\n')
    with pytest.raises(table.ExportError, match="control character"):
        table.read([path])


def test_the_page_needs_no_network_and_lets_only_its_own_script_run(write: WriteExport) -> None:
    page, _ = render(make(write({"web-01": machines.healthy(days=0.5, interval=300)})))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_drawings_do_not_share_ids(write: WriteExport) -> None:
    document = make(write({"web-01": machines.healthy(days=0.1, interval=600)}))
    figures = sum(isinstance(block, Figure) for block in document.blocks())
    clipped = '<svg viewBox="0 0 1 1"><clipPath id="clip0"></clipPath><g clip-path="url(#clip0)"></g></svg>'
    page = html.render(document, [clipped] * figures)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert len(set(re.findall(r"url\(#([^)]+)\)", page))) == figures
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_several_machines_have_a_chapter_each_and_stand_worst_first(write: WriteExport) -> None:
    sick = machines.healthy(2, days=1, interval=300)
    sick["psi_memory_some"][:] = 60
    document = make(write({"app-01": machines.healthy(days=1, interval=300), "app-02": sick}))
    (overview,) = [block for block in document.sections[0].blocks if isinstance(block, Table)]
    assert [row[0] for row in overview.rows] == ["app-02", "app-01"]
    assert [section.title for section in document.sections if section.level == 1] == [
        "Executive summary",
        "Side by side",
        "app-01",
        "app-02",
        "Recommendations",
        "What this report was made from",
    ]
    assert dict(document.standing)["Memory"] == "critical"
    names = [section.name for section in document.sections]
    assert len(names) == len(set(names))
    render(document)


def test_of_many_machines_the_worst_have_chapters_and_all_stand_in_the_summary(write: WriteExport) -> None:
    made = {f"app-{at:02d}": machines.healthy(at, days=1, interval=900) for at in range(12)}
    for name in ("app-03", "app-09"):
        made[name]["psi_memory_some"][:] = 60
    for name in list(made)[4:9]:
        made[name]["net_rx_drops"][:] = 30
    document = make(write(made))
    chapters = [section.title for section in document.sections if section.level == 1]
    assert chapters[0] == "Executive summary"
    assert {"app-03", "app-09"} < set(chapters)
    assert len(chapters) == 9
    (overview,) = [block for block in document.sections[0].blocks if isinstance(block, Table)]
    assert sorted(row[0] for row in overview.rows) == sorted(made)
    assert any("also on 2 machines: app-07, app-08." in line for line in said(document))


def test_gaps_in_a_chart_are_empty_rows(write: WriteExport) -> None:
    columns = machines.gap(machines.healthy(days=2), 600, 1200)
    (figure,) = [
        b for b in make(write({"web-01": columns})).blocks() if isinstance(b, Figure) and b.title == "CPU busy"
    ]
    values = [row["value"] for row in figure.spec["data"]["values"]]
    empty = [at for at, value in enumerate(values) if value is None]
    assert len(empty) > 50
    assert np.diff(empty).max() == 1


def test_the_command_writes_both_files_twice_the_same(write: WriteExport, tmp_path: Path) -> None:
    export = write({"web-01": machines.healthy(days=0.5, interval=300)})
    results = []
    for run in ("one", "two"):
        paths = [tmp_path / f"{run}.{kind}" for kind in ("html", "pdf")]
        command = [sys.executable, "-m", "reports", str(export), "--html", str(paths[0]), "--pdf", str(paths[1])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        results.append([path.read_bytes() for path in paths])
    assert results[0] == results[1]
    assert list(tmp_path.glob(".*")) == []


def test_a_bad_export_leaves_the_former_report_whole(tmp_path: Path, capsys: Captured) -> None:
    export, page = tmp_path / "export.csv", tmp_path / "out.html"
    export.write_text("timestamp,machine_id,cpu_user\n2026-01-05T00:00:00Z,a,fast\n")
    page.write_text("former")
    assert main([str(export), "--html", str(page)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "export.csv" in error
    assert "line 2, column cpu_user" in error
    assert page.read_text() == "former"


def test_a_folder_that_is_not_there_is_one_sentence(write: WriteExport, tmp_path: Path, capsys: Captured) -> None:
    export = write({"web-01": machines.healthy(days=0.1, interval=600)})
    assert main([str(export), "--html", str(tmp_path / "gone" / "out.html")]) == 2
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["x.csv"], "give --html FILE, --pdf FILE, --json FILE or --chart NAME FILE"),
        (["x.csv", "--html", "o", "--timezone", "Mars/Base"], "is no time zone"),
        (["x.csv", "--html", "o", "--timezone", "../../etc/passwd"], "is no time zone"),
        (["x.csv", "--html", "o", "--before", "2026-01-05..2026-01-12"], "go together"),
        (["x.csv", "--html", "o", "--before", "yesterday..today", "--after", "x"], "is no period"),
        (["x.csv", "--html", "o", "--after", "2026-01-12..2026-01-05"], "is no period"),
        (["x.csv", "--html", "o", "--price", "web-01=free"], "is no price"),
        (["x.csv", "--html", "o", "--price", "web-01=-1"], "is no price"),
        (["x.csv", "--chart", "cpu-busy", "o.exe"], ".svg or .png"),
    ],
)
def test_wrong_options_end_with_exit_code_2(options: list[str], message: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_trends_are_told_with_their_interval(write: WriteExport) -> None:
    columns = machines.healthy(days=7)
    columns["mem_used_mb"] = columns["mem_used_mb"] + np.linspace(0, 4000, len(columns["timestamp"]))
    (table_of,) = [block for block in make(write({"web-01": columns})).blocks() if is_table(block, "Trends of")]
    rows = {row[0]: row for row in table_of.rows}
    assert rows["Memory used"][4] == "rises"
    assert rows["Memory used"][1].startswith("+3.")
    assert " to +" in rows["Memory used"][2]
    assert rows["CPU busy"][4] == "no certain trend"
    assert rows["CPU busy"][2].startswith("−")


def test_every_device_and_interface_has_its_numbers(write: WriteExport, tmp_path: Path) -> None:
    paths = []
    for dataset, instance, metrics in (("disks", "sda", "util,read_mb"), ("interfaces", "eth0", "rx_mb,rx_drops")):
        name = {"disks": "device", "interfaces": "interface"}[dataset]
        lines = [f"2026-01-05T00:{minute:02d}:00Z,web-01,{instance},{minute},3" for minute in range(10)]
        path = tmp_path / f"{dataset}.csv"
        path.write_text("\n".join([f"timestamp,machine_id,{name},{metrics}", *lines, ""]))
        paths.append(path)
    document = build.build(table.read([write({"web-01": machines.healthy(days=0.1)}), *paths]), Clock(ZoneInfo("UTC")))
    device, interface = (
        next(block for block in document.blocks() if is_table(block, title))
        for title in ("Each device", "Each interface")
    )
    assert device.rows == (("sda", "3 / 3 / 3", "", "", "", "", "4.5 / 8.55 / 9"),)
    assert interface.rows == (("eth0", "4.5 / 8.55 / 9", "", "", "", "3 / 3 / 3", ""),)


def test_of_many_machines_only_the_sizes_that_do_not_fit_are_listed(write: WriteExport) -> None:
    fleet = {f"web-{at:02d}": machines.healthy(at, days=7, interval=600) for at in range(9)}
    assert not [block for block in make(write(fleet)).blocks() if is_table(block, "Right-sizing")]
    fleet["web-00"]["mem_used_mb"][:] = 15_000
    (sizes,) = [block for block in make(write(fleet)).blocks() if is_table(block, "Right-sizing")]
    assert {row[0] for row in sizes.rows} == {"web-00"}
    assert all(row[-1] != "fits" for row in sizes.rows)


def is_table(block: Block, title: str) -> TypeGuard[Table]:
    return isinstance(block, Table) and block.title.startswith(title)


def test_of_machines_with_the_same_verdict_three_are_told_in_full_and_the_others_named(write: WriteExport) -> None:
    fleet = {f"web-{at:02d}": machines.healthy(at, days=1, interval=600) for at in range(9)}
    for columns in list(fleet.values())[:5]:
        columns["psi_cpu_some"][:] = 60
    summary = make(write(fleet)).sections[0].blocks
    assert [block.machine for block in summary if isinstance(block, Verdict)] == ["web-00", "web-01", "web-02"]
    assert Paragraph("CPU, critical: the same on 2 machines: web-03, web-04.") in summary
