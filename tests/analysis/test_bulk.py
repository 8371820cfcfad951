"""analysis.bulk: a file of many machines is stored once, or not at all, by the rules of a single upload."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as checks
from hypothesis import strategies as some

from accounts.models import AuditEvent
from analysis import bulk, bulk_reading, retention, store
from analysis.models import Batch
from collectors.models import Collector
from core.batch import BatchError, decode
from core.catalogue import DATASETS, DISKS, SYSTEM
from core.errors import ServiceError
from core.tenancy import schema_context
from tests import samples
from tests.cast import MACHINE, Cast

START = samples.recent(5)
WINDOW = (START - timedelta(days=3), START + timedelta(days=3))


def file_of(machines: list[str], minutes: int = 3, value: str = "12.5") -> bytes:
    moments = samples.minutes(START, minutes)
    lines = [f"{at:%Y-%m-%dT%H:%M:%SZ},{machine},{value},3" for at in moments for machine in machines]
    return "\n".join(["timestamp,machine_id,cpu_user,mem_used_mb", *lines, ""]).encode()


def load(cast: Cast, data: bytes, *, register: bool = False, dataset: str = "system") -> bulk.Loaded:
    with schema_context(cast.schema):
        window = retention.window(timezone.now(), 90)
        return bulk.load(io.BytesIO(data), bulk.Order(DATASETS[dataset], window, register, actor="test"))


def rows(cast: Cast) -> list[tuple[object, ...]]:
    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(
            'SELECT machine_id, "timestamp", cpu_user, mem_used_mb FROM analysis_data'
            " JOIN collectors_collector ON collectors_collector.id = collector_id ORDER BY 1, 2"
        )
        return list(cursor.fetchall())


def test_many_machines_are_stored_with_ledger_last_seen_and_audit(alpha: Cast) -> None:
    loaded = load(alpha, file_of([MACHINE, "web1", "web2"]), register=True)
    assert (loaded.records, loaded.duplicates, loaded.machines, loaded.registered) == (9, 0, 3, ["web1", "web2"])
    assert [row[0] for row in rows(alpha)] == [MACHINE] * 3 + ["web1"] * 3 + ["web2"] * 3
    assert {row[2:] for row in rows(alpha)} == {(12.5, 3.0)}
    with schema_context("alpha"):
        assert Batch.objects.filter(batch_id=loaded.batch_id, records=3, duplicates=0).count() == 3
        assert Collector.objects.get(machine_id="web1").last_seen == START + 2 * samples.MINUTE
        assert AuditEvent.objects.get(event="import").records == 9


def test_an_unknown_machine_is_refused_and_nothing_is_stored(alpha: Cast) -> None:
    with pytest.raises(ServiceError) as refused:
        load(alpha, file_of([MACHINE, "stranger"]))
    assert refused.value.code.code == "COLLECTOR_001"
    assert rows(alpha) == []
    with schema_context("alpha"):
        assert not Batch.objects.exists()


def test_the_same_file_again_is_answered_from_the_ledger(alpha: Cast) -> None:
    first = load(alpha, file_of([MACHINE, "web1"]), register=True)
    again = load(alpha, file_of([MACHINE, "web1"]))
    assert again.repeated
    assert (again.records, again.machines, again.received_at) == (first.records, 2, first.received_at)
    assert len(rows(alpha)) == 6


def test_the_first_writer_of_a_sample_wins_and_the_others_are_counted(alpha: Cast) -> None:
    load(alpha, file_of([MACHINE], 2, "1"))
    loaded = load(alpha, file_of([MACHINE, "web1"], 3, "2"), register=True)
    assert (loaded.records, loaded.duplicates) == (6, 2)
    assert [row[2] for row in rows(alpha)] == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    with schema_context("alpha"):
        found = Batch.objects.filter(batch_id=loaded.batch_id).values_list("duplicates", flat=True)
        assert sorted(found) == [0, 2]


def test_pieces_are_stored_whole_and_a_bad_cell_late_in_the_file_stores_nothing(
    alpha: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_reading, "PIECE_BYTES", 200)
    assert load(alpha, file_of([MACHINE], 50)).records == 50
    bad = file_of(["web1"], 60).replace(b"12.5,3\n", b"NaN,3\n", 58).replace(b"NaN,3\n", b"12.5,3\n", 57)
    with pytest.raises(BatchError) as refused:
        load(alpha, bad, register=True)
    assert refused.value.sentence == "In line 59, column cpu_user: 'NaN' is not a plain decimal number."
    assert refused.value.problems[0].line == 59
    assert len(rows(alpha)) == 50


def test_a_dataset_with_instances_and_hostile_names_is_stored(alpha: Cast) -> None:
    names = ["a\\b", "x y", "<script>", "ünï ☃"]
    lines = [f"{START:%Y-%m-%dT%H:%M:%SZ},{MACHINE},{name},5" for name in names]
    load(alpha, "\n".join(["timestamp,machine_id,device,util", *lines, ""]).encode(), dataset="disks")
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SELECT device FROM analysis_disks")
        assert {row[0] for row in cursor.fetchall()} == set(names)


def test_instants_out_of_the_window_are_refused(alpha: Cast) -> None:
    old = file_of([MACHINE]).replace(f"{START:%Y}".encode(), b"2019")
    with pytest.raises(BatchError) as refused:
        load(alpha, old)
    assert refused.value.kind == "out_of_window"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"), (b"\n\n", "empty"), (b"timestamp,machine_id,cpu_user\n", "empty"),
        (b"timestamp,cpu_user\n1,2\n", "missing_column"), (b"machine_id,cpu_user\na,2\n", "missing_column"),
        (b'timestamp,machine_id,cpu_user\n"' + b"x" * 100, "truncated"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(alpha: Cast, data: bytes, kind: str) -> None:
    with pytest.raises(BatchError) as refused:
        load(alpha, data)
    assert refused.value.kind == kind


CELLS = some.one_of(
    some.sampled_from(
        ["", " ", "1", "01", "1.", ".5", "+5", "-1", "1e2", "1e-30", "1E5", "1e400", "NaN", "inf", "-0", "0.0", "100.5",
         "1_000", "١٢", "0x10", "1,5", '"7"', "7\r", "9" * 16, "9" * 31, "0." + "0" * 25 + "1", " 5 ", "99.99999999"]
    ),
    some.floats(0, 100).map(repr),
    some.text(max_size=4),
)  # fmt: skip
TIMES = some.sampled_from(
    [f"{START:%Y-%m-%dT%H:%M:%SZ}", f"{START:%Y-%m-%dT%H:%M:%S}.25+01:30", f"{int(START.timestamp())}", "now", "",
     f"{START:%Y-%m-%d %H:%M}:60Z", f"{START:%Y-%m-%dT%H:%M:%S}-23:00", f"{START:%Y-%m-%dT%H:%M:%S}",
     "2031-01-01T00:00:00Z"]
)  # fmt: skip
NAMES = some.one_of(some.sampled_from(["m1", "m2", "", " m1", "'=x", "'x", "a\\N", "\x07", "é" * 600]), some.text())


def outcome(data: bytes, *, plain: bool) -> object:
    """What a reader makes of the file: its rows, or the refusal."""
    try:
        reader = bulk_reading.Reader(DISKS, io.BytesIO(data), WINDOW)
        if not plain:
            reader._plain = lambda piece: None  # type: ignore[method-assign]
        return [(read.frame.rows(), read.machines, read.first, read.last) for read in reader]
    except BatchError as error:
        return error.sentence, error.problems


@checks(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.lists(some.tuples(TIMES, NAMES, NAMES, CELLS, CELLS), min_size=1, max_size=4))
def test_the_fast_way_takes_and_refuses_what_the_slow_one_does(lines: list[tuple[str, ...]]) -> None:
    head = "timestamp,machine_id,device,read_bytes,util"
    data = "\n".join([head, *(",".join(line) for line in lines), ""]).encode("utf-8", "surrogatepass")
    assert outcome(data, plain=True) == outcome(data, plain=False)


@pytest.mark.parametrize("cells", ["1e-400,1", "1", "1,1,1", "1,1\n{line},1", "1,1\n{line},1,1,1"])
def test_what_only_looks_plain_is_refused_with_the_words_of_the_slow_way(cells: str) -> None:
    """An exponent of three digits would be read as 0, a row that is short as one with empty cells."""
    line = f"{START:%Y-%m-%dT%H:%M:%SZ},m1,sda"
    data = f"timestamp,machine_id,device,read_mb,write_mb\n{line},{cells.format(line=line)}\n".encode()
    refusal = outcome(data, plain=True)
    assert isinstance(refusal, tuple)
    assert refusal == outcome(data, plain=False)


def test_plain_cells_take_the_fast_way() -> None:
    piece = bulk_reading.Piece(file_of([MACHINE]).split(b"\n", 1)[1], 0)
    assert bulk_reading.Reader(SYSTEM, io.BytesIO(file_of([MACHINE])), WINDOW)._plain(piece)


def test_the_digest_is_that_of_an_upload_of_the_same_file() -> None:
    data = file_of([MACHINE])
    assert bulk_reading.digest(SYSTEM, io.BytesIO(data)) == store.digest([("system", data)])


def test_a_line_break_inside_quotes_does_not_end_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_reading, "PIECE_BYTES", 16)
    data = b'a,"b\n\nc"\n1,2\n' * 9
    found = list(bulk_reading.pieces(io.BytesIO(data)))
    assert b"".join(piece.data for piece in found) == data
    assert all(piece.data.count(b'"') % 2 == 0 for piece in found)
    assert found[-1].lines_before + found[-1].data.count(b"\n") == data.count(b"\n")


def test_the_command_loads_a_file_and_says_what_it_did(
    alpha: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "week.csv"
    path.write_bytes(file_of([MACHINE, "web1"]))
    with pytest.raises(CommandError, match="There is no machine 'web1' here"):
        call_command("import_csv", str(path), schema="alpha")
    call_command("import_csv", str(path), schema="alpha", register=True)
    assert "alpha: 6 rows of 2 machines, 0 of them duplicates, 1 machines registered" in capsys.readouterr().out
    path.write_bytes(file_of([MACHINE], value="bad"))
    with pytest.raises(CommandError, match="In line 2, column cpu_user: 'bad'"):
        call_command("import_csv", str(path), schema="alpha")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_csv", str(tmp_path / "none.csv"), schema="alpha")


def test_decode_counts_the_lines_before_a_piece() -> None:
    with pytest.raises(BatchError, match="In line 12, column cpu_user"):
        decode(SYSTEM, b"timestamp,cpu_user\n1,bad\n", lines_before=10)


def stored(cast: Cast, columns: str, table: str = "analysis_data") -> list[tuple[object, ...]]:
    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM {table} ORDER BY "timestamp", 1')
        return list(cursor.fetchall())


def test_empty_cells_and_other_units_are_stored_as_they_are_meant(alpha: Cast) -> None:
    at = [f"{moment:%Y-%m-%dT%H:%M:%S}.25+00:00" for moment in samples.minutes(START, 3)]
    head = "timestamp,hostname,cpu_user,mem_used_kb,fan_speed"
    lines = [f"{at[0]},{MACHINE},,2048,9", f"{at[1]},{MACHINE},1e1,,9", f"{at[2]},{MACHINE},,,9"]
    loaded = load(alpha, "\r\n".join([head, *lines, ""]).encode())
    assert stored(alpha, "cpu_user, mem_used_mb") == [(None, 2.0), (10.0, None), (None, None)]
    assert {row[0] for row in stored(alpha, "extract(microseconds from timestamp) % 1000000")} == {250_000}
    assert loaded.warnings[0] == "Unknown column ignored: fan_speed"


def test_lists_are_stored_fast_or_slow(alpha: Cast) -> None:
    at = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in samples.minutes(START, 4)]
    head = "timestamp,machine_id,cpu_cores,cpu_user"
    load(alpha, f"{head}\n{at[0]},{MACHINE},1.5;100,2\n{at[1]},{MACHINE},,3\n".encode())
    load(alpha, f"{head}\n{at[2]},{MACHINE}, 1.5;1e1 ,2\n{at[3]},{MACHINE},,\n".encode())
    cores = [row[0] for row in stored(alpha, "cpu_cores")]
    assert cores == [[1.5, 100.0], None, [1.5, 10.0], None]


def test_text_and_whole_numbers_are_stored(alpha: Cast) -> None:
    line = f"{START:%Y-%m-%dT%H:%M:%SZ},{MACHINE},17,a\\b,,0.5"
    load(alpha, f"timestamp,machine_id,pid,name,user,cpu\n{line}\n".encode(), dataset="processes")
    assert stored(alpha, 'pid, name, "user", cpu', "analysis_processes") == [(17, "a\\b", None, 0.5)]
