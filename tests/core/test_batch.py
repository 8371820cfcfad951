"""core.batch: what is written can be read back, and what must not be stored is refused with its line and column."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import batch
from core.batch import (
    MAX_COLUMNS,
    MAX_PROBLEMS,
    BatchError,
    Problem,
    Table,
    clean_text,
    decode,
    encode,
    escape_text,
    format_number,
    format_timestamp,
    parse_timestamp,
    unescape_text,
)
from core.catalogue import DATASETS, MIB, Dataset, Metric

SYSTEM = DATASETS["system"]
DISKS = DATASETS["disks"]
FILESYSTEMS = DATASETS["filesystems"]
PROCESSES = DATASETS["processes"]
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
WINDOW = (NOW - timedelta(days=90), NOW + timedelta(minutes=10))
STAMP = "2026-01-05T12:00:00Z"
LIMITS = st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))


def column(name: str, *cells: str, dataset: Dataset = SYSTEM) -> list[Any]:
    """What the cells of one column are read as."""
    rows = "".join(f"{STAMP},{cell}\n" for cell in cells)
    return decode(dataset, f"timestamp,{name}\n{rows}".encode()).table.columns[dataset_column(dataset, name)]


def dataset_column(dataset: Dataset, name: str) -> str:
    aliases = {alias.name: metric.name for metric in dataset.metrics for alias in metric.aliases}
    return aliases.get(name, name)


def refused(data: bytes, dataset: Dataset = SYSTEM) -> BatchError:
    with pytest.raises(BatchError) as caught:
        decode(dataset, data, window=WINDOW)
    return caught.value


def cells_of(metric: Metric) -> st.SearchStrategy[Any]:
    if metric.dtype == "text":
        return st.none() | st.binary(min_size=1).map(clean_text)
    number = st.floats(metric.minimum, metric.maximum)
    return st.none() | (number if metric.is_number else st.lists(number, min_size=1, max_size=8))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Any table that can be stored: a machine, its instances, a few metrics, a few rows."""
    dataset = draw(st.sampled_from(list(DATASETS.values())))
    metrics = draw(st.lists(st.sampled_from(dataset.metrics), min_size=1, max_size=4, unique=True))
    strategies: dict[str, st.SearchStrategy[Any]] = {"timestamp": LIMITS, "machine_id": st.just("server1")}
    if dataset.instance:
        named = st.binary(min_size=1).map(clean_text)
        strategies[dataset.instance] = st.integers(0, 2**31) if dataset.instance_dtype == "bigint" else named
    strategies |= {metric.name: cells_of(metric) for metric in metrics}
    rows = draw(st.integers(1, 4))
    return Table(
        dataset, {name: draw(st.lists(cell, min_size=rows, max_size=rows)) for name, cell in strategies.items()}
    )


def close(written: Any, read: Any) -> bool:
    if isinstance(written, list):
        return len(written) == len(read) and all(map(close, written, read))
    if isinstance(written, float):
        return math.isclose(written, read, rel_tol=1e-6, abs_tol=1e-19)
    return bool(written == read)


@given(tables())
def test_what_is_encoded_decodes_to_the_same_to_seven_digits(table: Table) -> None:
    read = decode(table.dataset, encode(table).encode()).table
    assert list(read.columns) == list(table.columns)
    for name, cells in table.columns.items():
        assert all(map(close, cells, read.columns[name])), name


@given(tables())
def test_encoding_what_was_decoded_changes_nothing_more(table: Table) -> None:
    text = encode(table)
    assert encode(decode(table.dataset, text.encode()).table) == text


def test_an_encoded_file_is_plain_csv() -> None:
    columns: dict[str, list[Any]] = {
        "timestamp": [NOW, NOW + timedelta(seconds=1.5)],
        "machine_id": ["server1", "server1"],
        "mount": ["=cmd|x", 'a,"b'],
        "used_mb": [1.0, None],
        "total_mb": [1e15, 1e-9],
    }
    assert encode(Table(FILESYSTEMS, columns)) == (
        "timestamp,machine_id,mount,used_mb,total_mb\n"
        "2026-01-05T12:00:00Z,server1,'=cmd|x,1,1000000000000000\n"
        '2026-01-05T12:00:01.500000Z,server1,"a,""b",,0.000000001\n'
    )


def test_line_ends_a_byte_order_mark_and_blank_lines_do_not_matter() -> None:
    plain = decode(SYSTEM, f"timestamp,cpu_user\n{STAMP},1\n{STAMP},2\n".encode()).table
    for text in (
        f"timestamp,cpu_user\r\n{STAMP},1\r\n{STAMP},2\r\n",
        f"\ufefftimestamp,cpu_user\n{STAMP},1\n{STAMP},2\n",
        f'\ufeff"timestamp",cpu_user\n{STAMP},"1"\n{STAMP},2',
        f"\n TimeStamp , CPU_USER \n\n{STAMP}, 1 \n\r\n {STAMP} ,2\n\n",
    ):
        assert decode(SYSTEM, text.encode()).table == plain


def test_missing_and_unknown_columns_are_warnings() -> None:
    read = decode(PROCESSES, f"timestamp,pid,fan,cpu\n{STAMP},17,9,2.5\n".encode())
    assert read.warnings == ["Unknown column ignored: fan", "Missing columns stored empty: name, user, rss_mb"]
    assert read.table.columns == {"timestamp": [NOW], "pid": [17], "cpu": [2.5]}


def test_hundreds_of_unknown_columns_make_a_short_list_of_warnings() -> None:
    names = ",".join(f"fan{number}" for number in range(500))
    warnings = decode(SYSTEM, f"timestamp,cpu_user,{names}\n{STAMP},1{',' * 500}\n".encode()).warnings
    assert len(warnings) == MAX_PROBLEMS + 2
    assert warnings[MAX_PROBLEMS] == "… and 480 more unknown columns ignored"


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("cpu_user", "12.5", 12.5),
        ("cpu_user", "100", 100.0),
        ("cpu_user", "", None),
        ("cpu_user", "  ", None),
        ("cpu_user", ".5", 0.5),
        ("cpu_user", "5.", 5.0),
        ("cpu_user", "+5", 5.0),
        ("cpu_user", "1.5e1", 15.0),
        ("cpu_user", "1E-3", 0.001),
        ("cpu_user", "00012", 12.0),
        ("context_switches", "1000000000000000", 1e15),
        ("context_switches", "1e15", 1e15),
        ("mem_used_mb", "0.30000000000000004", 0.30000000000000004),
        ("cpu_cores", "12.5;3;0", [12.5, 3.0, 0.0]),
        ("cpu_cores", "7", [7.0]),
        ("cpu_cores", "", None),
        ("mem_used_kb", "2048", 2.0),
        ("mem_used_kb", "2.048e3", 2.0),
        ("mem_used_kb", "", None),
        ("swap_total_kb", "1024", 1.0),
        ("swap_in_kb", "512", 0.5),
        ("disk_read_bytes", str(MIB), 1.0),
        ("disk_write_bytes", str(3 * MIB), 3.0),
        ("net_rx_bytes", str(MIB // 2), 0.5),
        ("net_tx_bytes", "0", 0.0),
    ],
)
def test_a_cell_is_read_in_the_unit_of_its_metric(name: str, cell: str, value: Any) -> None:
    assert column(name, cell) == [value]


@pytest.mark.parametrize("cell", ["-0", "-0.0", "1e-45", "1e-99", "0." + "0" * 29 + "1", "0." + "0" * 18 + "1e-9"])
@pytest.mark.parametrize("name", ["cpu_user", "disk_read_bytes"])
def test_what_a_four_byte_float_cannot_hold_is_zero(name: str, cell: str) -> None:
    """The same beside a plain cell and beside an exponent: the two are read by different code."""
    for other in ("1", "1e0"):
        zero = column(name, cell, other)[0]
        assert (zero, math.copysign(1, zero)) == (0.0, 1.0)


def test_dust_in_an_array_and_after_a_conversion_is_zero_too() -> None:
    assert column("cpu_cores", "1e-45;-0;1") == [[0.0, 0.0, 1.0]]
    assert column("disk_read_bytes", "0." + "0" * 18 + "1", "1") == [0.0, 1 / MIB]


def test_every_alias_of_the_catalogue_is_understood() -> None:
    for dataset in DATASETS.values():
        for metric in dataset.metrics:
            for alias in metric.aliases:
                key = f",{dataset.instance}" if dataset.instance else ""
                text = f"timestamp{key},{alias.name}\n{STAMP}{',x' if key else ''},4096\n"
                assert decode(dataset, text.encode()).table.columns[metric.name] == [4096 * alias.factor]


def test_hostname_is_another_name_of_machine_id() -> None:
    text = f"timestamp, hostname, cpu_user\n{STAMP}, server1, 1\n"
    assert decode(SYSTEM, text.encode()).table.columns["machine_id"] == ["server1"]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-01-05T12:00:00Z", NOW),
        ("2026-01-05t12:00:00z", NOW),
        ("2026-01-05 12:00:00+00:00", NOW),
        ("2026-01-05T13:30:00+01:30", NOW),
        ("2026-01-05T00:00:00-12:00", NOW),
        ("2026-01-05T12:00:00-00:00", NOW),
        ("2026-01-05T12:00:00.25Z", NOW + timedelta(milliseconds=250)),
        ("2026-01-05T12:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
        ("1767614400", NOW),
        ("1767614400.5", NOW + timedelta(milliseconds=500)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_rfc_3339_with_an_offset_or_unix_seconds(cell: str, moment: datetime) -> None:
    assert parse_timestamp(cell) == moment


@given(LIMITS)
def test_a_timestamp_reads_back_exactly(moment: datetime) -> None:
    assert parse_timestamp(format_timestamp(moment)) == moment


@pytest.mark.parametrize(
    "cell",
    [
        "now", "today", "infinity", "-infinity", "epoch", "NaN", "294276-12-31T23:59:59Z", "2026-01-05",
        "2026-01-05T12:00:00", "2026-01-05T12:00Z", "2026-01-05T12:00:60Z", "2026-01-05T24:00:00Z",
        "2026-02-29T12:00:00Z", "2026-13-05T12:00:00Z", "0000-01-05T12:00:00Z", "2026-01-05T12:00:00+24:00",
        "2026-01-05T12:00:00+01:60", "2026-01-05T12:00:00+0100", "2026-01-05T12:00:00 UTC", "-1", "1e9",
        "1_767_614_400", "999999999999", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00",
        "٢٠٢٦-01-05T12:00:00Z", "１７６７６１４４００", "2026-01-05T12:00:00.Z", "2026-01-05T12:00:00.1234567890Z", "",
        "1767614400\x85",
    ],
)  # fmt: skip
def test_anything_else_is_no_timestamp(cell: str) -> None:
    """Trap 15."""
    found = refused(f"timestamp,cpu_user\n{cell},1\n".encode())
    assert found.kind == "bad_value"
    assert [(problem.line, problem.column, problem.value) for problem in found.problems] == [(2, "timestamp", cell)]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2036-01-05T12:00:00Z", "is after 2026-01-05T12:10:00Z, in the future"),
        ("2026-01-05T12:10:01Z", "is after 2026-01-05T12:10:00Z, in the future"),
        ("2025-10-07T11:59:59Z", "is before 2025-10-07T12:00:00Z, the start of what is kept"),
        ("0", "is before 2025-10-07T12:00:00Z, the start of what is kept"),
    ],
)
def test_a_timestamp_outside_the_window_is_refused_as_such(cell: str, reason: str) -> None:
    found = refused(f"timestamp,cpu_user\n{STAMP},1\n{cell},1\n".encode())
    assert (found.kind, found.problems) == ("out_of_window", (Problem(3, "timestamp", cell, reason),))


def test_the_ends_of_the_window_are_inside_it() -> None:
    text = "".join(f"{format_timestamp(moment)},1\n" for moment in WINDOW)
    assert len(decode(SYSTEM, f"timestamp,cpu_user\n{text}".encode(), window=WINDOW).table) == 2


def test_a_bad_value_beside_an_instant_outside_the_window_is_a_bad_value() -> None:
    assert refused(f"timestamp,cpu_user\n2036-01-05T12:00:00Z,1\n{STAMP},x\n".encode()).kind == "bad_value"


@pytest.mark.parametrize(
    "cell",
    [
        "now", "infinity", "Infinity", "inf", "-inf", "NaN", "nan", "1_000", "١٢٣", "１２", "0x10", "1,5", "1e", "e5",
        ".", "+", "--1", "1e999", "12%", "1 2", "1;2", "NULL", "\\N", "true", "½", "1\x85", "1" * 31, "−5",
    ],
)  # fmt: skip
def test_only_a_plain_decimal_is_a_number(cell: str) -> None:
    """Trap 14."""
    found = refused(f'timestamp,cpu_user\n{STAMP},1\n{STAMP},"{cell}"\n'.encode())
    assert found.kind == "bad_value"
    assert found.problems == (Problem(3, "cpu_user", cell, "is not a plain decimal number"),)
    assert found.sentence == f"In line 3, column cpu_user: {cell!r} is not a plain decimal number."


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("cpu_user", "100.01", "is outside 0 to 100 %"),
        ("cpu_user", "-0.1", "is outside 0 to 100 %"),
        ("cpu_user", "1e3", "is outside 0 to 100 %"),
        ("mem_used_mb", "1e16", "is outside 0 to 1e+15 MB"),
        ("mem_used_mb", "1e99", "is outside 0 to 1e+15 MB"),
        ("mem_used_mb", "9" * 30, "is outside 0 to 1e+15 MB"),
        ("load_1min", "1000001", "is outside 0 to 1e+06"),
        ("cpu_cores", "1;101", "is outside 0 to 100 %"),
        ("cpu_cores", "1;;2", "is not a plain decimal number"),
        ("cpu_cores", "1;NaN", "is not a plain decimal number"),
        ("cpu_cores", ";", "is not a plain decimal number"),
    ],
)
def test_a_number_lies_inside_the_range_of_its_metric(name: str, cell: str, reason: str) -> None:
    found = refused(f"timestamp,{name}\n{STAMP},1\n{STAMP},{cell}\n".encode())
    assert found.problems == (Problem(3, name, cell, reason),)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "is empty"),
        ("a\x1bb", "has a control character"),
        ("a\tb", "has a control character"),
        ("a\u2028b", "has a control character"),
        ("é" * 513, "is longer than 1024 bytes"),
        ("a" * 100_000, "is longer than 1024 bytes"),
    ],
)
def test_a_text_is_short_and_printable(cell: str, reason: str) -> None:
    found = refused(f'timestamp,device,util\n{STAMP},"{cell}",1\n'.encode(), DISKS)
    assert found.problems == (Problem(2, "device", cell[:80], reason),)


@pytest.mark.parametrize("cell", ["", "1.5", "-1", "1" * 19, "٣", "0x1", "1_0"])
def test_a_process_id_is_a_whole_number(cell: str) -> None:
    assert refused(f"timestamp,pid,cpu\n{STAMP},{cell},1\n".encode(), PROCESSES).problems[0].column == "pid"


GOOD = f"{STAMP},1\n"


@pytest.mark.parametrize(
    ("data", "kind", "sentence"),
    [
        (b"", "empty", "The file is empty."),
        (b" \r\n\n", "empty", "The file is empty."),
        (b"\xef\xbb\xbf\n", "empty", "The file is empty."),
        (b"timestamp,cpu_user\n", "empty", "The file has a header but no rows that can be stored."),
        (b"cpu_user\n1\n", "missing_column", "The header has no column timestamp."),
        (b"timestamp,fan\n", "missing_column", "The header has no metric of the dataset system."),
        (b"timestamp,cpu_user\n1,\x00\n", "encoding", "Line 2 has a NUL byte."),
        (b"timestamp,cpu_user\n1,\xff\n", "encoding", "Line 2 is not valid UTF-8."),
        ("timestamp,cpu_user\n1,ü\n".encode("latin-1"), "encoding", "Line 2 is not valid UTF-8."),
        (f"timestamp,cpu_user\n{GOOD}".encode("utf-16"), "encoding", "Line 1 has a NUL byte."),
        (f"timestamp,cpu_user\n{GOOD}".encode("utf-16-be"), "encoding", "Line 1 has a NUL byte."),
        (b"timestamp,cpu_user\n1,2\r1,2\n", "encoding", "Line 2 has a carriage return without a line feed."),
        (b"timestamp,cpu_user\r1,2\r", "encoding", "Line 1 has a carriage return without a line feed."),
        (b'timestamp,cpu_user\n"a,b\n' + GOOD.encode(), "truncated", "Line 2 is not CSV: a quote is opened"),
        (b'timestamp,cpu_user\n\n1,"a"b\n', "bad_value", "Line 3 is not CSV: ',' expected after '\"'"),
        (
            f"timestamp,cpu_user\n{GOOD}{STAMP},".encode() + b"1" * 200_000,
            "bad_value",
            "Line 3 is not CSV: field larger than field limit",
        ),
        (
            f'timestamp,cpu_user\n{GOOD}"'.encode() + b"1\n" * 200_000,
            "bad_value",
            "Line 3 is not CSV: field larger than field limit",
        ),
        (b"timestamp,cpu_user,cpu_user\n", "bad_value", "The header names cpu_user more than once"),
        (b"timestamp,mem_used_mb,mem_used_kb\n", "bad_value", "The header names mem_used_mb more than once"),
        (b"timestamp,machine_id,hostname,cpu_user\n", "bad_value", "The header names machine_id more than once"),
        (b"timestamp,TIMESTAMP,cpu_user\n", "bad_value", "The header names timestamp more than once"),
        (b"timestamp" + b",cpu_user" * 10_000, "bad_value", "The header names cpu_user more than once"),
        (b"timestamp,cpu_user" + b",x" * 10_000, "bad_value", f"The header has 10002 columns, more than {MAX_COLUMNS}"),
        (f"timestamp,cpu_user\n{GOOD}2026-01-05".encode(), "truncated", "Line 3 breaks off: the file is truncated."),
        (f"timestamp,cpu_user\n{GOOD}{STAMP}".encode(), "truncated", "Line 3 breaks off: the file is truncated."),
        (f"timestamp,cpu_user\n{GOOD}{STAMP}\n".encode(), "bad_value", "In line 3: the row has 1 cells, the header"),
        (
            f"timestamp,cpu_user\n{STAMP},1,2\n".encode(),
            "bad_value",
            "In line 2: the row has 3 cells, the header has 2",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_line(data: bytes, kind: str, sentence: str) -> None:
    """Trap 16."""
    found = refused(data)
    assert found.kind == kind
    assert found.sentence.startswith(sentence)


def test_a_header_of_a_million_columns_is_refused_at_once() -> None:
    """It took a quadratic time to look for names that are there twice."""
    assert refused(b"timestamp" + b",cpu_user" * 1_000_000).kind == "bad_value"


def test_the_instance_column_of_a_dataset_is_required() -> None:
    found = refused(b"timestamp,util\n", DISKS)
    assert (found.kind, found.sentence) == ("missing_column", "The header has no column device.")


def test_a_file_without_a_last_line_end_is_whole() -> None:
    assert (
        column("cpu_user", "1", "2")
        == decode(SYSTEM, f"timestamp,cpu_user\n{GOOD}{STAMP},2".encode()).table.columns["cpu_user"]
    )


def test_problems_are_listed_by_line_and_no_more_than_twenty() -> None:
    rows = "".join(f"{STAMP},x\n" for _ in range(25))
    found = refused(f"timestamp,cpu_user\n{rows}now,1\n".encode())
    assert len(found.problems) == MAX_PROBLEMS
    assert [problem.line for problem in found.problems] == [*range(2, 21), 27]
    assert found.sentence == "In line 2, column cpu_user: 'x' is not a plain decimal number (25 more problems)."


def test_skip_bad_keeps_the_good_rows_and_lists_the_others() -> None:
    text = f"timestamp,cpu_user\n{STAMP},1\nnow,2\n{STAMP},x\n{STAMP}\n2036-01-01T00:00:00Z,x\n{STAMP},6\n"
    read = decode(SYSTEM, text.encode(), window=WINDOW, skip_bad=True)
    assert read.table.columns == {"timestamp": [NOW, NOW], "cpu_user": [1.0, 6.0]}
    assert read.skipped == 4
    assert [(problem.line, problem.column) for problem in read.problems] == [
        (3, "timestamp"), (4, "cpu_user"), (5, ""), (6, "timestamp"), (6, "cpu_user"),
    ]  # fmt: skip


def test_skip_bad_with_no_good_row_left_is_empty_and_says_why() -> None:
    with pytest.raises(BatchError) as caught:
        decode(SYSTEM, b"timestamp,cpu_user\nnow,1\n", skip_bad=True)
    assert caught.value.kind == "empty"
    assert caught.value.problems[0].value == "now"


FORMULAS = st.text(alphabet="'=+-@\t\r a1", max_size=6)


@given(st.text() | FORMULAS)
def test_the_export_quote_comes_off_exactly(text: str) -> None:
    assert unescape_text(escape_text(text)) == text


@given(FORMULAS, FORMULAS)
def test_two_texts_never_become_one_by_the_export_quote(one: str, other: str) -> None:
    assert (escape_text(one) == escape_text(other)) == (one == other)


@given(st.text() | FORMULAS)
def test_no_exported_text_starts_as_a_formula(text: str) -> None:
    assert not escape_text(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.floats(-1e15, 1e15))
def test_a_number_is_written_without_an_exponent(value: float) -> None:
    text = format_number(value)
    assert set(text) <= set("-.0123456789")
    assert math.isclose(float(text), value, rel_tol=1e-6, abs_tol=1e-19)


@given(st.binary(min_size=1) | st.text(min_size=1).map(str.encode) | FORMULAS.filter(bool).map(str.encode))
@example(b"=" * 1024)
@example(b"'" * 1023 + b"=")
@example("…".encode() * 500)
@example(b" a ")
@example("\u2028\x85".encode())
def test_any_bytes_become_a_text_that_reads_back(raw: bytes) -> None:
    text = clean_text(raw)
    table = Table(FILESYSTEMS, {"timestamp": [NOW], "mount": [text], "fstype": [text], "used_mb": [1.0]})
    read = decode(FILESYSTEMS, encode(table).encode()).table.columns
    assert (read["mount"], read["fstype"]) == ([text], [text])


def test_bytes_that_are_no_text_are_shown_as_their_codes() -> None:
    assert clean_text("/mnt/ü".encode()) == "/mnt/ü"
    assert clean_text(b"a\xff\x00\n\x7f") == "a\\xff\\x00\\x0a\\x7f"
    assert clean_text("\u2028".encode()) == "\\u2028"


def test_two_long_names_that_begin_alike_stay_two() -> None:
    one, other = clean_text(b"a" * 5000), clean_text(b"a" * 5001)
    assert one != other
    assert len(one.encode()) == len(other.encode()) == 1024


NOISE = st.lists(
    st.sampled_from([b"timestamp", b"cpu_user", b"cpu_cores", b"device", b"pid", STAMP.encode(), b"1", b"1;2", b"now"])
    | st.sampled_from([b",", b"\n", b"\r\n", b'"', b"'", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b" ", b"9" * 40]),
    max_size=30,
).map(b"".join)


@given(st.sampled_from(list(DATASETS.values())), st.binary() | NOISE, st.booleans())
def test_decoding_any_bytes_raises_nothing_but_a_batch_error(dataset: Dataset, data: bytes, skip_bad: bool) -> None:
    try:
        read = decode(dataset, data, window=WINDOW, skip_bad=skip_bad)
    except BatchError:
        return
    assert {len(cells) for cells in read.table.columns.values()} == {len(read.table)}


CELLS = st.sampled_from(
    [
        "",
        "0",
        "12.5",
        "100",
        "100.1",
        "-1",
        " 7",
        "1e1",
        "1,2",
        "1,",
        ",",
        "\n",
        "1\n2",
        "x",
        "1;2",
        "9" * 16,
        "1.",
        ".5",
        "NaN",
    ]
) | st.text(max_size=3)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=4), st.booleans())
@example([("1,2", "1", "1", "1")], False)
def test_a_short_file_is_read_as_a_long_one(rows: list[tuple[str, ...]], skip_bad: bool) -> None:
    """Of a short file all plain numbers are looked at together, of a long one column by column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        [["timestamp", "cpu_user", "mem_used_mb", "swap_in_kb", "cpu_cores"], *([STAMP, *row] for row in rows)]
    )

    def outcome() -> object:
        try:
            decoded = decode(SYSTEM, text.getvalue().encode(), window=WINDOW, skip_bad=skip_bad)
        except BatchError as error:
            return error.kind, error.sentence, error.problems
        return decoded.table.columns, decoded.warnings, decoded.problems, decoded.skipped

    short = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch, "FEW_ROWS", 0)
        assert outcome() == short


def test_the_same_header_again_has_the_window_of_its_own_upload() -> None:
    data = f"timestamp,cpu_user\n{STAMP},1\n".encode()
    assert len(decode(SYSTEM, data, window=WINDOW).table) == 1
    with pytest.raises(BatchError, match="in the future"):
        decode(SYSTEM, data, window=(WINDOW[0], NOW - timedelta(days=1)))
    assert len(decode(SYSTEM, data).table) == 1


def test_warnings_of_one_file_are_not_those_of_the_next() -> None:
    data = f"timestamp,cpu_user,fan\n{STAMP},1,2\n".encode()
    decode(SYSTEM, data).warnings.append("mine")
    assert "mine" not in decode(SYSTEM, data).warnings
