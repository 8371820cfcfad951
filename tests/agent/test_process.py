"""`process`: the commands on files, as a person runs them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from agent import process, process_sort
from agent.process_reading import CHUNK_LINES

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


def at(second: float) -> str:
    return (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


def file(folder: Path, name: str, header: str, *lines: str) -> str:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def run(*arguments: str) -> int:
    return process.main(list(arguments))


def output(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_good_file_is_called_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "a.csv", "timestamp,machine_id,cpu_user", f"{at(0)},web-01,5", f"{at(60)},web-01,6")
    assert run("validate", path) == 0
    assert output(capsys)[-1] == f"{path}: good, 2 rows of system, {at(0)} to {at(60)}."


def test_a_bad_cell_is_named_by_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{at(second)},web-01,5" for second in range(CHUNK_LINES + 10)]
    lines[CHUNK_LINES + 4] = f"{at(0)},web-01,NaN"
    path = file(tmp_path, "a.csv", "timestamp,machine_id,cpu_user", *lines)
    assert run("validate", path) == 1
    wrong = f"line {CHUNK_LINES + 6}, column cpu_user: 'NaN' is not a plain decimal number"
    assert f"{path}, {wrong}" in output(capsys)
    assert run("sort", path) == 1
    assert f"{path}: In {wrong}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"timestamp,cpu_user\n", "no rows after the header"),
        (b"cpu_user\n1\n", "no column timestamp"),
        (b"timestamp,cpu_user\n2026-01-05T12:00:00Z,\xff\n", "Line 2 is not valid UTF-8"),
        (b"timestamp,cpu_user\n2026-01-05T12:00:00Z,1\n2026-01-05T12:00:01Z\n", "has 1 cells"),
        (b"timestamp,cpu_user\n2026-01-05T12:00:00Z", "truncated"),
        (b"timestamp,cpu_user\n2026-01-05T12:00:00,1\n", "line 2, column timestamp"),
        (b'timestamp,cpu_user\n2026-01-05T12:00:00Z,"1\n', "never closed"),
        (b"x" * 2_000_000, "longer than"),
        (gzip.compress(b"timestamp,cpu_user\n2026-01-05T12:00:00Z,1\n")[:-9], "gzip data are damaged"),
    ],
)
def test_what_the_portal_would_refuse_is_refused(
    content: bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert run("validate", str(path)) == 1
    assert sentence in capsys.readouterr().out


def test_merge_orders_and_keeps_the_first_of_each_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "timestamp,machine_id,cpu_user"
    one = file(tmp_path, "1.csv", header, f"{at(60)},b,1", f"{at(0)},b,2")
    two = file(tmp_path, "2.csv", header + ",load_1min", f"{at(60)},b,9,9", f"{at(60)},a,3,4")
    assert run("merge", one, two) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [header + ",load_1min", f"{at(0)},b,2,", f"{at(60)},a,3,4", f"{at(60)},b,1,"]
    assert "1 duplicates dropped, 1 of them with other values" in captured.err


def test_sort_keeps_duplicates_and_process_ids_sort_as_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, "a.csv", "timestamp,pid,cpu", f"{at(1)},9,1", f"{at(0)},10,1", f"{at(0)},9,1", f"{at(0)},9,2")
    assert run("sort", path) == 0
    assert [line.split(",", 1)[1] for line in output(capsys)[1:]] == ["9,1", "9,2", "10,1", "9,1"]


def test_more_rows_than_fit_are_sorted_through_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_sort, "RUN_ROWS", 10)
    monkeypatch.setattr(process_sort, "MAX_RUNS", 3)
    order = [(number * 37) % 101 for number in range(101)]
    lines = [f'{at(second)},"/a,""b {second}",5' for second in order]
    path = file(tmp_path, "a.csv", "timestamp,mount,used_percent", *lines, *lines)
    assert run("dedupe", path) == 0
    got = output(capsys)[1:]
    assert [line.split(",")[0] for line in got] == [at(second) for second in range(101)]
    assert got[7] == f'{at(7)},"/a,""b 7",5'


def test_resample_combines_as_the_catalogue_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "timestamp,machine_id,mount,fstype,used_mb,used_percent"
    path = file(
        tmp_path, "a.csv", header, f"{at(0)},m,/,ext4,10,50", f"{at(60)},m,/,ext4,30,90", f"{at(120)},m,/,xfs,20,70",
        f"{at(300)},m,/,xfs,1,", f"{at(30)},m,/b,xfs,7,8",
    )  # fmt: skip
    assert run("resample", "--every", "5m", path) == 0
    assert output(capsys)[1:] == [f"{at(0)},m,/,xfs,20,90", f"{at(0)},m,/b,xfs,7,8", f"{at(300)},m,/,xfs,1,"]


def test_resample_takes_the_mean_of_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "timestamp,cpu_user,cpu_cores,mem_used_kb"
    path = file(tmp_path, "a.csv", header, f"{at(0)},1,10;20,1024", f"{at(1)},,30,3072", f"{at(2)},3,,", f"{at(2)},9,,")
    assert run("resample", "--every", "1m", path) == 0
    assert output(capsys) == ["timestamp,cpu_user,cpu_cores,mem_used_mb", f"{at(0)},2,20;20,2"]


@pytest.mark.parametrize("interval", ["5", "0m", "-1m", "1w", "m", "1.5h", ""])
def test_a_wrong_interval_is_wrong_usage(interval: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run("resample", "--every", interval, "x.csv")
    assert caught.value.code == 2


def test_split_by_machine_makes_harmless_names(tmp_path: Path) -> None:
    path = file(
        tmp_path, "a.csv", "timestamp,machine_id,cpu_user", f"{at(0)},../../x,1", f"{at(0)},b,2", f"{at(1)},b,3"
    )
    assert run("split", "--by", "machine", "--into", str(tmp_path / "out"), path) == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["system-%2E.%2F..%2Fx.csv", "system-b.csv"]
    assert (tmp_path / "out" / "system-b.csv").read_text().splitlines()[1:] == [f"{at(0)},b,2", f"{at(1)},b,3"]


def test_split_by_day_and_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "a.csv", "timestamp,cpu_user", f"{at(0)},1", f"{at(86_400)},2")
    command = ("split", "--by", "day", "--into", str(tmp_path / "out"), path)
    assert run(*command) == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["system-2026-01-05.csv", "system-2026-01-06.csv"]
    assert run(*command) == 2
    assert "File exists" in capsys.readouterr().err


def test_convert_makes_catalogue_columns_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "a.csv", "timestamp,hostname,mem_used_kb,odd", "1767614400,'=m,1024,x")
    assert run("convert", path) == 0
    assert output(capsys) == ["timestamp,machine_id,mem_used_mb", f"{at(0)},'=m,1"]
    assert run("convert", "--to", "json", path) == 0
    assert json.loads(capsys.readouterr().out) == [{"timestamp": at(0), "machine_id": "=m", "mem_used_mb": 1.0}]


def test_convert_chooses_metrics_by_name_and_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "a.csv", "timestamp,cpu_user,load_1min,load_5min", f"{at(0)},1,2,3")
    assert run("convert", "--metrics", "load", path) == 0
    assert output(capsys)[0] == "timestamp,load_1min,load_5min"
    assert run("convert", "--metrics", "nonsense", path) == 2


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "a.csv", "timestamp,cpu_user", f"{at(0)},1", f"{at(1)},x", f"{at(2)},101")
    assert run("convert", "--skip-bad", path) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1:] == [f"{at(0)},1"]
    assert "2 bad rows left out" in captured.err


def test_files_of_several_datasets_do_not_merge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = file(tmp_path, "1.csv", "timestamp,cpu_user", f"{at(0)},1")
    two = file(tmp_path, "2.csv", "timestamp,device,read_mb", f"{at(0)},sda,1")
    assert run("merge", one, two) == 2
    assert "several datasets" in capsys.readouterr().err


def test_a_file_without_machines_needs_one_beside_a_file_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = file(tmp_path, "1.csv", "timestamp,machine_id,cpu_user", f"{at(0)},a,1")
    two = file(tmp_path, "2.csv", "timestamp,cpu_user", f"{at(0)},2")
    assert run("merge", one, two) == 2
    assert "--machine-id" in capsys.readouterr().err
    assert run("merge", "--machine-id", "b", one, two) == 0
    assert output(capsys)[1:] == [f"{at(0)},a,1", f"{at(0)},b,2"]


def test_a_failed_run_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("before")
    path = file(tmp_path, "a.csv", "timestamp,cpu_user", f"{at(0)},x")
    assert run("sort", "-o", str(target), path) == 1
    assert target.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "out.csv"]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sort", str(tmp_path / "none.csv")) == 2
    assert "No such file" in capsys.readouterr().err


def test_it_reads_gzip_on_standard_input_and_writes_to_standard_output() -> None:
    data = gzip.compress(f"timestamp,cpu_user\n{at(1)},1\n{at(0)},2\n".encode())
    command = [sys.executable, "-m", "agent", "process", "sort"]
    done = subprocess.run(command, cwd=ROOT, input=data, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().splitlines()[1:] == [f"{at(0)},2", f"{at(1)},1"]


def test_memory_stays_constant(tmp_path: Path) -> None:
    """A file four times as long takes hardly more."""
    peaks = [_peak_kb(tmp_path, rows) for rows in (30_000, 120_000)]
    assert peaks[1] < peaks[0] * 1.3, peaks


def _peak_kb(folder: Path, rows: int) -> int:
    path = folder / f"{rows}.csv"
    with path.open("w") as target:
        target.write("timestamp,cpu_user\n")
        target.writelines(f"{1767614400 + (row * 7919) % rows},1\n" for row in range(rows))
    program = "import resource, sys; from agent.process import main; main(sys.argv[1:])"
    program += "; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    command = [sys.executable, "-c", program, "sort", "-o", str(folder / "out.csv"), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (folder / "out.csv").stat().st_size > rows
    return int(done.stderr.split()[-1])
