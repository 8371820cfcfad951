"""A report straight from the spool of an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import rows
from agent.spool import Spool
from reports import spool, table
from reports.__main__ import main
from reports.reading import ExportError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spool as the agent makes it: two sealed batches and one that is being filled, a sample a minute."""
    made = Spool(str(tmp_path / "spool"))
    made.open()
    for minute in range(25):
        values = {"cpu_user": 10.0 + minute, "cpu_idle": 90.0 - minute, "mem_total_mb": 8000.0, "mem_used_mb": 4000.0}
        disks = [{"device": "sda", "util": 5.0, "read_mb": 1.0}]
        moment = f"2026-01-05T10:{minute:02d}:00Z"
        made.append(rows.lines({"system": [values], "disks": disks}, moment, "web-01"))
        if minute in (9, 19):
            made.seal()
    made.close()
    return tmp_path / "spool"


def test_the_samples_of_all_batches_are_read_also_of_the_one_being_filled(folder: Path) -> None:
    (machine,) = table.read([folder]).machines
    assert machine.name == "web-01"
    assert machine.system.times.size == 25
    assert machine.system.columns["cpu_user"].tolist() == [10.0 + minute for minute in range(25)]
    assert list(machine.instances["disks"]) == ["sda"]


def test_single_batches_may_be_named_and_every_file_is_a_source(folder: Path) -> None:
    batches = sorted((folder / "queue").glob("*.batch"))
    export = table.read(batches)
    assert export.machines[0].system.times.size == 20
    assert [name for name, _, _ in export.sources] == [path.name for path in batches]


def test_a_report_is_made_of_it_with_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert main([str(folder), "--html", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_torn_last_record_is_left_out(folder: Path) -> None:
    (journal,) = (folder / "queue").glob("*.journal")
    journal.write_bytes(journal.read_bytes()[:-7])
    (machine,) = table.read([folder]).machines
    assert machine.system.times.size == 24


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"00000000 {}\n"])
def test_what_is_no_batch_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "1.batch"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"1\.batch is no batch of an agent"):
        table.read([path])


def test_a_folder_without_batches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no spool with batches"):
        spool.expand([tmp_path])
