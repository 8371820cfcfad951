"""Reading exports: fast and careful ways agree, and what is wrong is named by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reports import reading, table
from reports.statistics import Values
from tests.reports import machines
from tests.reports.machines import ReadOne, WriteExport


def read(tmp_path: Path, text: str | bytes, name: str = "export.csv") -> table.Export:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return table.read([path])


def column(machine: table.Machine, name: str) -> Values:
    values = machine.system.column(name)
    assert values is not None
    return values


def test_an_export_is_read_whole(read_one: ReadOne) -> None:
    columns = machines.healthy(days=0.5)
    machine = read_one(columns)
    assert machine.name == "web-01"
    assert machine.system.times.tolist() == (columns["timestamp"] * 1000).tolist()
    assert machine.system.column("cpu_user") == pytest.approx(columns["cpu_user"], rel=1e-6)
    assert machine.system.cores == pytest.approx(columns["cpu_cores"], rel=1e-3, abs=1e-3)


def test_an_empty_cell_is_not_a_number_and_never_zero(tmp_path: Path) -> None:
    text = "timestamp,machine_id,cpu_user,cpu_idle\n2026-01-05T00:00:00Z,a,,5\n2026-01-05T00:01:00Z,a,7,5\n"
    (machine,) = read(tmp_path, text).machines
    values = column(machine, "cpu_user")
    assert np.isnan(values[0])
    assert values[1] == 7


def test_an_absent_or_empty_column_was_never_measured(tmp_path: Path) -> None:
    text = "timestamp,machine_id,cpu_user,cpu_idle\n2026-01-05T00:00:00Z,a,,5\n"
    (machine,) = read(tmp_path, text).machines
    assert machine.system.column("cpu_user") is None
    assert machine.system.column("load_1min") is None


def test_the_careful_way_reads_what_the_fast_way_does_not(tmp_path: Path) -> None:
    text = "timestamp,hostname,mem_used_kb,cpu_cores\r\n1767571200,'=cmd,2048,12.5;3;0\r\n"
    (machine,) = read(tmp_path, text).machines
    assert machine.name == "=cmd"
    assert column(machine, "mem_used_mb")[0] == 2
    assert machine.system.cores is not None
    assert machine.system.cores.tolist() == [[12.5, 3, 0]]
    assert machine.system.times.tolist() == [1_767_571_200_000]


def test_a_fast_and_a_careful_reading_agree(tmp_path: Path) -> None:
    text = machines.to_csv({"a": machines.healthy(days=0.1)})
    (fast,) = read(tmp_path, text).machines
    (careful,) = read(tmp_path, text.replace("\n", "\r\n")).machines
    assert fast.system.columns.keys() == careful.system.columns.keys()
    for name in fast.system.columns:
        np.testing.assert_array_equal(fast.system.column(name), careful.system.column(name))
    np.testing.assert_array_equal(fast.system.cores, careful.system.cores)


@pytest.mark.parametrize("block", [50, 4_096, 10_000_000])
def test_blocks_of_any_size_give_the_same_machines(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    made = {name: machines.healthy(seed, days=0.02) for seed, name in enumerate(("a", "b"))}
    found = read(tmp_path, machines.to_csv(made)).machines
    assert [machine.name for machine in found] == ["a", "b"]
    for machine, columns in zip(found, made.values(), strict=True):
        assert machine.system.times.tolist() == (columns["timestamp"] * 1000).tolist()
        assert column(machine, "cpu_user") == pytest.approx(columns["cpu_user"], rel=1e-6)


def test_a_fault_far_down_is_named_by_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 200)
    rows = [f"2026-01-05T00:{minute:02d}:00Z,a,{minute}\n" for minute in range(60)]
    with pytest.raises(table.ExportError, match="line 62, column cpu_user"):
        read(tmp_path, HEAD + "".join(rows) + "2026-01-05T01:00:00Z,a,x\n")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    text = machines.to_csv({"a": machines.healthy(days=0.1), "b": machines.healthy(2, days=0.1)})
    plain = read(tmp_path, text).machines
    frame = pl.read_csv(text.encode(), try_parse_dates=True, infer_schema_length=None)
    frame = frame.with_columns(pl.col("cpu_cores").str.split(";").cast(pl.List(pl.Float32)))
    frame.write_parquet(tmp_path / "export.parquet")
    for machine, other in zip(table.read([tmp_path / "export.parquet"]).machines, plain, strict=True):
        assert machine.name == other.name
        assert machine.system.times.tolist() == other.system.times.tolist()
        assert column(machine, "cpu_user") == pytest.approx(column(other, "cpu_user"), rel=1e-6)
        assert machine.system.cores == pytest.approx(other.system.cores, rel=1e-5)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pl.DataFrame({"machine_id": ["a"], "cpu_user": [5.0]}), "no column timestamp"),
        (pl.DataFrame({"timestamp": ["2026-01-05T00:00:00Z"], "machine_id": ["a"]}), "no metric"),
        (pl.DataFrame({"timestamp": ["2026-01-05T00:00:00Z"], "machine_id": ["a"], "cpu_user": [500.0]}), "out of"),
        (pl.DataFrame({"timestamp": ["yesterday"], "machine_id": ["a"], "cpu_user": [5.0]}), "wrong type"),
        (pl.DataFrame({"timestamp": [], "machine_id": [], "cpu_user": []}), "no rows"),
    ],
)
def test_bad_parquet_is_refused(frame: pl.DataFrame, said: str, tmp_path: Path) -> None:
    frame.write_parquet(tmp_path / "export.parquet")
    with pytest.raises(table.ExportError, match=said):
        table.read([tmp_path / "export.parquet"])


def test_half_a_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(table.ExportError, match="no whole Parquet file"):
        read(tmp_path, b"PAR1abc", "export.parquet")


def test_rows_in_any_order_and_twice_count_once_in_time_order(tmp_path: Path) -> None:
    rows = [f"2026-01-05T00:{minute:02d}:00Z,{name},{minute}" for minute in range(5) for name in ("b", "a")]
    text = "\n".join(["timestamp,machine_id,cpu_user", *reversed(rows), rows[0]]) + "\n"
    export = read(tmp_path, text)
    assert [machine.name for machine in export.machines] == ["a", "b"]
    assert column(export.machines[1], "cpu_user").tolist() == [0, 1, 2, 3, 4]
    assert export.notes == ("1 repeated rows of the dataset system counted once.",)


def test_a_file_without_machine_id_is_named_by_its_file(tmp_path: Path) -> None:
    (machine,) = read(tmp_path, "timestamp,cpu_user\n2026-01-05T00:00:00Z,5\n", "db-01.csv").machines
    assert machine.name == "db-01"


def test_a_disks_export_is_known_by_its_columns(tmp_path: Path, write: WriteExport) -> None:
    system = write({"web-01": machines.healthy(days=0.1)})
    disks = tmp_path / "disks.csv"
    rows = [
        f"2026-01-05T00:{minute:02d}:00Z,web-01,{name},1,2" for minute in range(9) for name in ("sda", "cciss/c0d0")
    ]
    disks.write_text("timestamp,machine_id,device,read_mb,queue_depth\n" + "\n".join(rows) + "\n")
    (machine,) = table.read([disks, system]).machines
    assert list(machine.instances["disks"]) == ["cciss/c0d0", "sda"]
    read_mb = machine.instances["disks"]["sda"].column("read_mb")
    assert read_mb is not None
    assert read_mb.tolist() == [1.0] * 9


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    export = read(tmp_path, "timestamp,machine_id,cpu_user,colour\n2026-01-05T00:00:00Z,a,5,red\n")
    assert export.notes == ("export.csv: column colour is unknown and was left out.",)


def test_direction_marks_and_control_characters_become_visible() -> None:
    assert table.show("a\u202eb\u2066\x07") == "a\\u202eb\\u2066\\u0007"


HEAD = "timestamp,machine_id,cpu_user\n"
GOOD = "2026-01-05T00:00:00Z,a,5\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (HEAD, "no rows"),
        ("machine_id,cpu_user\na,5\n", "no column timestamp"),
        ("timestamp,machine_id\n2026-01-05T00:00:00Z,a\n", "no metric"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,abc\n", "line 3, column cpu_user"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,NaN\n", "line 3, column cpu_user"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,inf\n", "line 3, column cpu_user"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,101\n", "line 3, column cpu_user"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,-1\n", "line 3, column cpu_user"),
        (HEAD + GOOD + "2026-13-05T00:01:00Z,a,1\n", "line 3, column timestamp"),
        (HEAD + GOOD + "2026-01-05T00:01:00,a,1\n", "line 3, column timestamp"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,,1\n", "line 3, column machine_id"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a\n" + GOOD, "line 3"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a,1,2\n", "line 3"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a", "truncated"),
        (HEAD + '2026-01-05T00:01:00Z,"a,1\n', "quote"),
        (HEAD + GOOD + "2026-01-05T00:01:00Z,a\x00,1\n", "NUL"),
        ((HEAD + "2026-01-05T00:01:00Z,").encode() + b"\xff,1\n", "UTF-8"),
        ("timestamp,machine_id,cpu_cores\n2026-01-05T00:00:00Z,a,5;x\n", "line 2, column cpu_cores"),
        ("timestamp,machine_id,cpu_cores\n2026-01-05T00:00:00Z,a,5;101\n", "line 2, column cpu_cores"),
        ("timestamp,machine_id,cpu_user,cpu_user\n2026-01-05T00:00:00Z,a,5,6\n", "more than once"),
    ],
)
def test_a_bad_export_is_refused_with_its_file_and_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(table.ExportError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert "export.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_files_without_a_system_dataset_are_refused(tmp_path: Path) -> None:
    text = "timestamp,machine_id,device,read_mb\n2026-01-05T00:00:00Z,a,sda,5\n"
    with pytest.raises(table.ExportError, match="dataset system"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(table.ExportError, match=r"gone\.csv cannot be read"):
        table.read([tmp_path / "gone.csv"])
