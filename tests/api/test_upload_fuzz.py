"""Whatever is sent to the upload: an answer of the contract, never a 500, and all of it stored or nothing."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import Any

from django.conf import settings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as checks
from hypothesis import strategies as some

from core.errors import CODES
from tests import samples
from tests.cast import MACHINE, Cast

URL = "/api/v1/performance/upload"
AT = samples.recent()
CHECKS = checks(
    max_examples=100, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

NAMES = some.sampled_from(
    ["timestamp", "machine_id", "hostname", "cpu_user", "CPU_USER", " mem_used_kb", "mem_used_mb", "cpu_cores", "fan",
     "", "device", "pid", "name", "util", "rss_mb"]
)  # fmt: skip
CELLS = some.one_of(
    some.sampled_from(
        ["", "0", "12.5", "-1", "1e9", "1e-99", "NaN", "infinity", "now", "1;2", ";", '"', '""', '"a\nb"', MACHINE,
         "server2", "'=1", "\\N", "\\.", "\0", "\r", "\ufeff", "\u2028", "x" * 3000, AT.isoformat(),
         f"{AT:%Y-%m-%d}T24:00:00Z",
         "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1e1", "999999999999.999999999", "+", ".", "1."]
    ),
    some.text(max_size=8),
)  # fmt: skip
TABLES = some.tuples(
    some.lists(NAMES, min_size=1, max_size=5),
    some.lists(some.lists(CELLS, max_size=6), max_size=6),
    some.sampled_from(["\n", "\r\n", "\r"]),
).map(lambda table: table[2].join(",".join(row) for row in (table[0], *table[1])).encode("utf-8", "surrogatepass"))
LIKELY = some.lists(some.tuples(some.integers(0, 90), CELLS, CELLS), min_size=1, max_size=5).map(
    lambda rows: "\n".join(
        ["timestamp,machine_id,cpu_user,device,util,pid,cpu,name"]
        + [f"{(AT - samples.MINUTE * ago).isoformat()},{MACHINE},{a},{b},{a},{ago},{a},{b}" for ago, a, b in rows]
    ).encode("utf-8", "surrogatepass")
)
BODIES = some.one_of(LIKELY, TABLES, some.binary(max_size=300), TABLES.map(gzip.compress))


def assert_kept_promise(cast: Cast, answer: Any, before: int) -> None:
    """201: as many rows as it says; a refusal: none, and a code of the contract."""
    body = answer.json()
    after = stored(cast)
    if answer.status_code in (200, 201):
        assert after - before == (body["records_processed"] - body["duplicates"] if answer.status_code == 201 else 0)
        return
    assert 400 <= answer.status_code < 500, answer.content
    assert CODES[body["code"]].status == answer.status_code
    assert len(body.get("details", [])) <= 20
    assert after == before


def stored(cast: Cast) -> int:
    tables = ("analysis_data", "analysis_disks", "analysis_processes")
    return sum(samples.count(cast, table) for table in tables)


@CHECKS
@given(body=BODIES, dataset=some.sampled_from(["system", "disks", "processes"]), skip=some.booleans())
@example(body=b"timestamp,cpu_user\n" + AT.isoformat().encode() + b",1\n", dataset="system", skip=False)
def test_a_raw_body_never_breaks_the_upload(alpha: Cast, body: bytes, dataset: str, skip: bool) -> None:
    before = stored(alpha)
    query = f"?dataset={dataset}" + ("&on_error=skip" if skip else "")
    answer = alpha.machine_client().post(URL + query, body, content_type="text/csv")
    assert_kept_promise(alpha, answer, before)


@CHECKS
@given(
    body=some.one_of(some.binary(max_size=400), some.text(max_size=200).map(str.encode)),
    head=some.sampled_from(
        [b"", b"--xx\r\n", b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n']
    ),
    tail=some.sampled_from([b"", b"\r\n--xx--", b"\r\n--xx\r\n"]),
)
def test_a_form_never_breaks_the_upload(alpha: Cast, body: bytes, head: bytes, tail: bytes) -> None:
    before = stored(alpha)
    content_type = "multipart/form-data; boundary=xx"
    answer = alpha.machine_client().post(URL, head + body + tail, content_type=content_type)
    assert_kept_promise(alpha, answer, before)


@CHECKS
@given(
    header=some.sampled_from(["Batch-Id", "Content-Encoding", "Content-Type", "Authorization"]),
    value=some.text(some.characters(min_codepoint=32, max_codepoint=255), max_size=80),
)
def test_a_header_never_breaks_the_upload(alpha: Cast, header: str, value: str) -> None:
    before = stored(alpha)
    body = f"timestamp,cpu_user\n{AT.isoformat()},1\n".encode()
    given_headers = {"content-type": "text/csv", header.lower(): value}
    content_type = given_headers.pop("content-type")
    answer = alpha.machine_client().post(URL, body, content_type=content_type, headers=given_headers)
    assert_kept_promise(alpha, answer, before)


def test_a_bomb_is_refused_in_little_memory(alpha: Cast) -> None:
    """Trap 13: 500 MB unpacked; what is read before it is refused is bounded by UPLOAD_MAX_MB."""
    bomb = gzip.compress(b"0" * 500_000_000, 1)
    tracemalloc.start()
    answer = alpha.machine_client().post(URL, bomb, content_type="text/csv", headers={"content-encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"]) == (413, "UPLOAD_004")
    assert peak < 1.5 * settings.UPLOAD_MAX_BYTES
