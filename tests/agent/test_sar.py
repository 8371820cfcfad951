"""`import-sar`: sysstat's history as catalogue columns, from a capture of 12.6.1 and the shapes of other versions."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agent import sar, sar_upload
from agent.config import Config
from agent.sar_columns import Machine, datasets
from agent.sar_reading import SarError, records, timestamp
from agent.sar_upload import Importer, make_batch
from core.batch import decode
from core.catalogue import DATASETS, SYSTEM

from tests.agent.model import Portal, Serving, refusal

CAPTURE = Path(__file__).parent / "sar" / "sysstat-12.6.1.json"
SADC = "/usr/lib/sysstat/sadc"


def first() -> dict[str, Any]:
    with CAPTURE.open() as text:
        return next(records(text, "capture"))[1]


def system(record: dict[str, Any]) -> dict[str, Any]:
    return datasets(record, Machine())["system"][0]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    assert sar.main([str(CAPTURE), "--machine-id", "web-01", *arguments]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_the_capture_becomes_rows_that_the_portal_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("system", "disks", "interfaces"):
        sar.main([str(CAPTURE), "--dataset", name])
        table = decode(DATASETS[name], capsys.readouterr().out.encode()).table
        assert len(set(table.columns["timestamp"])) == 3


def test_cpu_is_complete_and_sums_to_a_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    shares = ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal", "cpu_idle")
    for row in printed(capsys):
        assert sum(float(row[name]) for name in shares) == pytest.approx(100, abs=0.05)
        assert len(row["cpu_cores"].split(";")) == 2


def test_the_first_row_of_the_capture(capsys: pytest.CaptureFixture[str]) -> None:
    """dd wrote 400 MB in that second, past the page cache."""
    row = printed(capsys)[0]
    assert row["timestamp"] == "2026-11-23T22:22:24Z"
    assert float(row["disk_write_mb"]) == pytest.approx(396.2, abs=0.1)
    assert (row["disk_await_ms"], row["disk_io_util"], row["disk_queue_depth"]) == ("0.44", "28.12", "0.45")
    assert float(row["mem_total_mb"]) == pytest.approx(24105.56, abs=0.01)
    assert (row["load_1min"], row["procs_running"]) == ("4.2", "6")
    assert row["psi_cpu_some"] != ""


def test_no_io_is_an_empty_await() -> None:
    record = {"disk": [{"disk-device": "sda", "tps": 0.0, "await": 0.0, "rkB": 0.0, "wkB": 0.0, "util-percent": 0.0}]}
    row = system(record)
    assert row["disk_await_ms"] is None
    assert (row["disk_read_mb"], row["disk_io_util"]) == (0, 0)


def test_partitions_and_mapped_devices_are_not_counted_twice() -> None:
    names = ("sda", "sda1", "nvme0n1", "nvme0n1p1", "dm-0", "md0", "loop0")
    record = {"disk": [{"disk-device": name, "tps": 1.0, "await": 2.0, "rkB": 1024.0, "wkB": 0.0} for name in names]}
    found = datasets(record, Machine())
    assert found["system"][0]["disk_read_mb"] == 2
    assert len(found["disks"]) == len(names)


def test_bonds_bridges_and_loopback_are_not_counted_twice() -> None:
    names = ("lo", "eth0", "eth0.5", "bond0", "br0", "docker0", "veth12")
    record = {"network": {"net-dev": [{"iface": name, "rxkB": 1024.0} for name in names]}}
    assert system(record)["net_rx_mb"] == 1


@pytest.mark.parametrize(
    ("memory", "total", "used"),
    [
        ({"memfree": 1024, "memused": 3072, "memused-percent": 75.0, "buffers": 512, "cached": 512}, 4, 2),
        (
            {"memfree": 1024, "avail": 2048, "memused": 1024, "memused-percent": 25.0, "cached": 1024, "slab": 1024},
            4,
            2,
        ),
        ({"memfree": 1024, "memused": 3072}, 4, 3),
        ({"memfree": 1024}, None, None),
        ({}, None, None),
    ],
)
def test_memory_of_old_and_new_versions(memory: dict[str, Any], total: Any, used: Any) -> None:
    row = system({"memory": memory})
    assert (row["mem_total_mb"], row["mem_used_mb"]) == (total, used)


def test_the_names_of_older_versions() -> None:
    record = {
        "cpu-load": [
            {"cpu": "all", "user": 10.0, "nice": 0.0, "system": 5.0, "iowait": 1.0, "steal": 0.0, "idle": 84.0}
        ],
        "disk": [{"disk-device": "sda", "tps": 4.0, "rd_sec": 2048.0, "wr_sec": 0.0, "avgqu-sz": 2.0, "await": 3.0}],
        "queue": {"runq-sz": 1, "ldavg-1": 0.5, "ldavg-5": 0.4, "ldavg-15": 0.3},
    }
    row = system(record)
    assert (row["cpu_user"], row["cpu_system"], row["cpu_irq"]) == (10, 5, None)
    assert (row["disk_read_mb"], row["disk_queue_depth"], row["disk_await_ms"]) == (1, 2, 3)
    assert (row["load_1min"], row["procs_blocked"]) == (0.5, None)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"cpu-load": None, "memory": [], "disk": {}, "network": {"net-dev": "x"}, "queue": 3, "psi": None, "io": []},
        {"disk": [{}, None, 3], "cpu-load": [{}], "network": {"net-dev": [{}], "net-edev": [{}]}},
        {"queue": {"ldavg-1": "x", "runq-sz": None}, "memory": {"memfree": True}},
    ],
)
def test_what_is_missing_or_strange_stays_empty(record: dict[str, Any]) -> None:
    assert all(value is None for value in system(record).values())


def test_a_counter_that_wrapped_is_empty() -> None:
    assert system({"process-and-context-switch": {"cswch": 1e19}})["context_switches"] is None
    assert system({"queue": {"ldavg-1": -3.0}})["load_1min"] is None


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ({"date": "2026-01-05", "time": "12:00:01", "utc": 1, "interval": 600}, "2026-01-05T12:00:01Z"),
        ({"date": "2026/01/05", "time": "12:00:01", "tz": "UTC"}, "2026-01-05T12:00:01Z"),
        ({"date": "05.01.2026", "time": "12:00"}, None),
        (None, None),
    ],
)
def test_timestamps(stamp: Any, expected: Any) -> None:
    assert timestamp({"timestamp": stamp}) == expected


def test_a_file_is_read_record_by_record_and_nan_is_nothing() -> None:
    record = '{"timestamp": {"date": "2026-01-05", "time": "00:00:00", "utc": 1}, "queue": {"ldavg-1": -nan}}'
    text = '{"sysstat": {"hosts": [{"nodename": "a", "statistics": [' + ",\n".join([record] * 3000) + "]}]}}"
    found = list(records(io.StringIO(text), "x"))
    assert len(found) == 3000
    assert found[0][0].nodename == "a"
    assert system(found[0][1])["load_1min"] is None


@pytest.mark.parametrize("cut", [0, 1, 40, 600, 5000])
def test_half_a_file_is_an_error(cut: int) -> None:
    with pytest.raises(SarError):
        list(records(io.StringIO(CAPTURE.read_text()[:cut]), "x"))


def test_a_period_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, "--since", "2026-11-23T22:22:25Z", "--until", "2026-11-23T22:22:26Z")
    assert [row["timestamp"] for row in rows] == ["2026-11-23T22:22:25Z"]


def test_wrong_files_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert sar.main([str(tmp_path / "x.json")]) == 2
    assert "not the output of sadf -j" in capsys.readouterr().err
    assert sar.main([str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "sa01").write_bytes(b"\x96\xd5")
    assert sar.main([str(tmp_path / "sa01"), "--sadf", str(tmp_path / "no-sadf")]) == 2
    assert "install sysstat" in capsys.readouterr().err


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return Config(key="pfa_key_of_a_test", machine_id="web-01", spool_dir=str(tmp_path))


def samples() -> list[Any]:
    options = sar.parser().parse_args([str(CAPTURE)])
    return [sample.lines for sample in sar._samples([str(CAPTURE)], options, "web-01")]


def test_imported_twice_is_one_batch_marked_as_imported(settings: Config) -> None:
    portal = Portal()
    with Serving(portal) as url:
        for _ in range(2):
            importer = Importer(Config(url=url, key=settings.key))
            assert importer.send(samples())
            importer.close()
    assert [name[:7] for name in portal.ledger] == ["import-"]
    assert len(portal.rows) == 3


def test_what_may_pass_is_tried_again(settings: Config) -> None:
    portal = Portal()
    waits: list[float] = []
    portal.intercept = lambda batch_id, number: refusal(429, "RATE_001") if number < 3 else "portal"
    with Serving(portal) as url:
        importer = Importer(Config(url=url, key=settings.key), waits.append)
        assert importer.send(samples())
    assert len(waits) == 2


def test_what_the_portal_refuses_is_said(settings: Config) -> None:
    portal = Portal()
    portal.intercept = lambda batch_id, number: refusal(401, "AUTH_001")
    with Serving(portal) as url:
        importer = Importer(Config(url=url, key=settings.key), lambda seconds: None)
        assert not importer.send(samples())
    assert "AUTH_001" in importer.failure
    assert len(portal.requests) == 1


def test_rows_older_than_what_is_kept_are_left_out(settings: Config) -> None:
    portal = Portal()
    portal.intercept = lambda batch_id, number: refusal(400, "UPLOAD_007") if number == 1 else "portal"
    with Serving(portal) as url:
        importer = Importer(Config(url=url, key=settings.key), lambda seconds: None)
        assert importer.send(samples())
    assert "left out" in importer.summary()


def test_a_batch_is_named_by_its_content() -> None:
    one, two = make_batch(samples()), make_batch(samples()[:2])
    assert one.batch_id == make_batch(samples()).batch_id != two.batch_id
    assert len(one.batch_id) <= 64
    assert sar_upload.PREFIX == "import-"


@pytest.mark.skipif(not (Path(SADC).exists() and shutil.which("sadf")), reason="needs sysstat")
def test_a_file_of_this_hosts_sysstat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run([SADC, "-S", "ALL", "1", "2", str(tmp_path / "sa01")], check=True, stdout=subprocess.DEVNULL)
    assert sar.main([str(tmp_path / "sa01")]) == 0
    row = decode(SYSTEM, capsys.readouterr().out.encode()).table.columns
    assert len(row["timestamp"]) >= 1
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(meminfo["MemTotal"].split()[0]) / 1024
    assert row["mem_total_mb"][0] == pytest.approx(total, rel=0.02)


def test_json_of_the_capture_comes_on_standard_input_too() -> None:
    command = [sys.executable, "-m", "agent", "import-sar", "-"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], input=CAPTURE.read_bytes(), stdout=subprocess.PIPE)
    assert len(done.stdout.splitlines()) == 4
    assert json.loads(CAPTURE.read_text())
