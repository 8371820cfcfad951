"""POST performance/upload."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django_tenants.utils import schema_context
from pytest_django import Settings

from core.catalogue import SYSTEM
from tests import samples
from tests.cast import MACHINE, Cast

URL = "/api/v1/performance/upload"
SEED = "timestamp,machine_id,cpu_user,cpu_system,mem_used_mb,disk_read_mb,disk_write_mb"


def post_form(cast: Cast, url: str = URL, headers: dict[str, str] | None = None, **parts: bytes | str) -> Any:
    data = {
        name: SimpleUploadedFile(f"{name}.csv", part) if isinstance(part, bytes) else part
        for name, part in parts.items()
    }
    return cast.machine_client().post(url, data, headers=headers or {})


def post_raw(cast: Cast, body: bytes, url: str = URL, content_type: str = "text/csv", **headers: str) -> Any:
    return cast.machine_client().post(url, body, content_type=content_type, headers=headers)


def rows(cast: Cast, columns: str = "cpu_user", table: str = "analysis_data") -> list[tuple[Any, ...]]:
    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "{table}" ORDER BY "timestamp"')
        return list(cursor.fetchall())


def seed_file(count: int = 3) -> bytes:
    moments = samples.minutes(samples.recent(), count)
    lines = [f"{moment:%Y-%m-%dT%H:%M:%SZ},{MACHINE},12.5,3.5,1024,0.5,1.25" for moment in moments]
    return "\n".join([SEED, *lines, ""]).encode()


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_the_seed_form_is_accepted_and_missing_columns_are_named(alpha: Cast) -> None:
    answer = post_form(alpha, file=seed_file(), machine_id=MACHINE)
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {
        "status", "message", "records_processed", "duplicates", "warnings", "batch_id", "timestamp",
    }  # fmt: skip
    assert (body["status"], body["records_processed"], body["duplicates"]) == ("success", 3, 0)
    (warning,) = body["warnings"]
    assert "cpu_steal" in warning
    assert "cpu_user" not in warning
    assert rows(alpha, "cpu_user, mem_used_mb, cpu_steal") == [(12.5, 1024.0, None)] * 3


def test_the_short_address_is_the_same(alpha: Cast) -> None:
    assert post_form(alpha, "/api/v1/upload", file=seed_file()).status_code == 201


def test_a_file_with_every_column_has_no_warnings(alpha: Cast) -> None:
    cells = {"timestamp": samples.recent().isoformat(), "machine_id": MACHINE, "cpu_cores": "1;2"}
    line = ",".join(cells.get(name, "1") for name in SYSTEM.columns)
    answer = post_form(alpha, file=f"{','.join(SYSTEM.columns)}\n{line}\n".encode())
    assert answer.status_code == 201
    assert answer.json()["warnings"] == []


def test_unix_seconds_hostname_and_other_units_are_converted(alpha: Cast) -> None:
    header = "timestamp,hostname,mem_used_kb,swap_in_kb,disk_read_bytes,net_rx_bytes"
    text = f"{header}\n{int(samples.recent().timestamp())},{MACHINE},2048,512,1048576,524288\n"
    assert post_form(alpha, file=text.encode()).status_code == 201
    assert rows(alpha, "mem_used_mb, swap_in_mb, disk_read_mb, net_rx_mb") == [(2.0, 0.5, 1.0, 0.5)]


def test_the_raw_body_form_works_plain_and_packed(alpha: Cast) -> None:
    body = seed_file()
    first = post_raw(alpha, body)
    packed = post_raw(alpha, gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert (first.status_code, packed.status_code) == (201, 200)
    assert packed.json() == first.json()
    assert len(rows(alpha)) == 3


def test_a_packed_part_of_a_form_is_unpacked(alpha: Cast) -> None:
    assert post_form(alpha, file=gzip.compress(seed_file())).status_code == 201


def test_several_datasets_are_one_batch(alpha: Cast) -> None:
    moment = samples.recent().isoformat()
    disks = f"timestamp,device,util\n{moment},sda,5\n{moment},sdb,6\n".encode()
    answer = post_form(alpha, file=seed_file(), disks=disks, headers={"Batch-Id": "b1"})
    assert answer.status_code == 201
    assert answer.json()["records_processed"] == 5
    assert answer.json()["batch_id"] == "b1"
    assert len(rows(alpha, "util", "analysis_disks")) == 2


def test_a_raw_body_may_be_another_dataset(alpha: Cast) -> None:
    body = f"timestamp,interface,rx_bytes\n{samples.recent().isoformat()},eth0,1048576\n".encode()
    assert post_raw(alpha, body, f"{URL}?dataset=interfaces").status_code == 201
    assert rows(alpha, "rx_mb", "analysis_interfaces") == [(1.0,)]
    refused(post_raw(alpha, body, f"{URL}?dataset=nonsense"), 400, "REQUEST_003")


def test_the_same_batch_again_is_answered_with_the_first_result(alpha: Cast) -> None:
    body = seed_file()
    first = post_form(alpha, file=body, headers={"Batch-Id": "b1"})
    again = post_form(alpha, file=gzip.compress(body), headers={"Batch-Id": "b1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    refused(post_form(alpha, file=seed_file(2), headers={"Batch-Id": "b1"}), 409, "UPLOAD_006")
    assert len(rows(alpha)) == 3


def test_a_bad_batch_id_is_refused(alpha: Cast) -> None:
    for batch_id in ("", "a b", "x" * 65, "../x"):
        refused(post_form(alpha, file=seed_file(), headers={"Batch-Id": batch_id}), 400, "REQUEST_003")


def test_an_unknown_column_is_ignored_and_named(alpha: Cast) -> None:
    text = f"timestamp,cpu_user,fan_speed\n{samples.recent().isoformat()},1,2\n"
    warnings = post_form(alpha, file=text.encode()).json()["warnings"]
    assert warnings[0] == "Unknown column ignored: fan_speed"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("NaN", "plain decimal"), ("infinity", "plain decimal"), ("1_000", "plain decimal"), ("١٢٣", "plain decimal"),
        ("0x10", "plain decimal"), ("now", "plain decimal"), ("-1", "outside"), ("100.5", "outside"),
        ("1e99", "outside"), ("12,5", "cells"), ("1" * 200_000, ""),
    ],
)  # fmt: skip
def test_a_value_that_the_database_would_take_is_refused_all_the_same(alpha: Cast, cell: str, reason: str) -> None:
    """Trap 14."""
    text = f"timestamp,cpu_user\n{samples.recent().isoformat()},{cell}\n"
    body = refused(post_form(alpha, file=text.encode()), 400, "UPLOAD_003")
    assert reason in body["error"]
    assert rows(alpha) == []


def test_the_first_twenty_problems_are_listed_with_line_column_value_and_reason(alpha: Cast) -> None:
    start = samples.recent(3)
    lines = [f"{moment.isoformat()},bad" for moment in samples.minutes(start, 30)]
    body = refused(post_form(alpha, file="\n".join(["timestamp,cpu_user", *lines]).encode()), 400, "UPLOAD_003")
    assert len(body["details"]) == 20
    assert body["details"][0] == {
        "line": 2, "column": "cpu_user", "value": "bad", "reason": "is not a plain decimal number",
    }  # fmt: skip
    assert "line 2" in body["error"]


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        ("now", "UPLOAD_003"), ("2026-01-05T00:00:00", "UPLOAD_003"), ("2026-01-05T00:00:60Z", "UPLOAD_003"),
        ("294276-01-01T00:00:00Z", "UPLOAD_003"), ("2026-02-30T00:00:00Z", "UPLOAD_003"), ("", "UPLOAD_003"),
        ("2036-01-05T00:00:00Z", "UPLOAD_007"), ("1999-01-05T00:00:00Z", "UPLOAD_007"), ("0", "UPLOAD_007"),
        ("999999999999", "UPLOAD_003"),
    ],
)  # fmt: skip
def test_a_timestamp_that_cannot_be_is_refused(alpha: Cast, timestamp: str, code: str) -> None:
    """Trap 15."""
    refused(post_form(alpha, file=f"timestamp,cpu_user\n{timestamp},1\n".encode()), 400, code)


def test_clock_skew_within_the_tolerance_is_taken(alpha: Cast) -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=settings.UPLOAD_FUTURE_SECONDS - 60)
    assert post_form(alpha, file=samples.csv(ahead, [1.0])).status_code == 201


NOW = samples.recent().isoformat().encode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "UPLOAD_001"),
        (b"\n\n", 400, "UPLOAD_001"),
        (b"timestamp,cpu_user\n", 400, "UPLOAD_001"),
        (b"cpu_user\n1\n", 400, "UPLOAD_002"),
        (b"timestamp\n1\n", 400, "UPLOAD_002"),
        (b"timestamp,fan\n1,2\n", 400, "UPLOAD_002"),
        (b"timestamp,cpu_user\n" + NOW + b",1\0\n", 415, "UPLOAD_005"),
        (b"timestamp,cpu_user\n" + NOW + b",\xff\n", 415, "UPLOAD_005"),
        ("timestamp,cpu_user\n1,1\n".encode("utf-16"), 415, "UPLOAD_005"),
        (b"timestamp,cpu_user\r" + NOW + b",1\r", 415, "UPLOAD_005"),
        (b'timestamp,cpu_user\n"' + NOW + b",1\n", 400, "UPLOAD_008"),
        (b"timestamp,cpu_user,cpu_system\n" + NOW + b",1", 400, "UPLOAD_008"),
        (b"timestamp,cpu_user,cpu_user\n" + NOW + b",1,2\n", 400, "UPLOAD_003"),
        (b"timestamp,mem_used_mb,mem_used_kb\n" + NOW + b",1,2\n", 400, "UPLOAD_003"),
        (b"timestamp,cpu_user\n" + NOW + b",1,2\n", 400, "UPLOAD_003"),
        (b"," * 10_000 + b"\n", 400, "UPLOAD_002"),
    ],
)
def test_a_broken_file_is_refused_with_its_code(alpha: Cast, body: bytes, status: int, code: str) -> None:
    """Trap 16; as a part and as a raw body."""
    refused(post_form(alpha, file=body), status, code)
    refused(post_raw(alpha, body), status, code)
    assert rows(alpha) == []


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_taken(alpha: Cast, prefix: bytes, newline: bytes) -> None:
    body = prefix + newline.join([b"timestamp,cpu_user", NOW + b",1", b""])
    assert post_form(alpha, file=body).status_code == 201


def test_good_rows_are_stored_when_bad_ones_may_be_left_out(alpha: Cast) -> None:
    start = samples.recent()
    moments = [moment.isoformat() for moment in samples.minutes(start, 3)]
    text = f"timestamp,cpu_user\n{moments[0]},1\n{moments[1]},NaN\n{moments[2]},3\n"
    answer = post_form(alpha, f"{URL}?on_error=skip", file=text.encode())
    body = answer.json()
    assert answer.status_code == 201
    assert body["records_processed"] == 2
    assert body["warnings"][0] == "Rows left out: 1"
    assert body["skipped"][0]["line"] == 3
    assert rows(alpha) == [(1.0,), (3.0,)]


def test_another_machines_rows_are_refused(alpha: Cast) -> None:
    body = seed_file().replace(MACHINE.encode(), b"server2")
    refused(post_form(alpha, file=body), 403, "AUTH_004")
    refused(post_form(alpha, file=seed_file(), machine_id="server2"), 403, "AUTH_004")
    refused(post_raw(alpha, seed_file(), f"{URL}?machine_id=server2"), 403, "AUTH_004")
    assert rows(alpha) == []


def test_a_key_of_another_tenant_is_unknown(alpha: Cast, beta: Cast) -> None:
    client = alpha.machine_client()
    answer = client.post(URL, {"file": SimpleUploadedFile("a", seed_file())}, headers={"host": beta.host})
    assert refused(answer, 401, "AUTH_001")["error"] == "The key is not valid."
    assert samples.count(beta) == 0


def test_a_wrong_key_answers_as_promised(alpha: Cast) -> None:
    wrong = alpha.key[:-1] + ("A" if alpha.key[-1] != "A" else "B")
    answer = alpha.client().post(URL, b"x", content_type="text/csv", headers={"authorization": f"Bearer {wrong}"})
    assert answer.json() == {"status": "error", "error": "The key is not valid.", "code": "AUTH_001"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["x", "pfa_1_2", "x" * 9999, "pfa_" + "0" * 16 + "_" + "A" * 43, "a b", "\xe9"])
def test_whatever_a_bearer_brings_that_is_no_key_is_unknown(alpha: Cast, token: str) -> None:
    answer = alpha.client().post(URL, b"x", content_type="text/csv", headers={"authorization": f"Bearer {token}"})
    assert refused(answer, 401, "AUTH_001")["error"] == "The key is not valid."


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "pfa_1_2"])
def test_malformed_credentials_are_told_from_unknown_ones(alpha: Cast, header: str) -> None:
    answer = alpha.client().post(URL, b"x", content_type="text/csv", headers={"authorization": header})
    refused(answer, 401, "AUTH_002")


def test_a_compressed_bomb_is_refused_before_it_unfolds(alpha: Cast, settings: Settings) -> None:
    """Trap 13."""
    settings.UPLOAD_MAX_BYTES = 1_000_000
    bomb = gzip.compress(b"0" * 20_000_000)
    assert len(bomb) < 50_000
    refused(post_raw(alpha, bomb, **{"Content-Encoding": "gzip"}), 413, "UPLOAD_004")
    refused(post_form(alpha, file=bomb), 413, "UPLOAD_004")


def test_all_parts_share_one_bound(alpha: Cast, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 150_000
    half = gzip.compress(b"0" * 100_000)
    refused(post_form(alpha, file=half, disks=half), 413, "UPLOAD_004")


def test_an_upload_over_the_limit_is_refused_by_its_length(alpha: Cast, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 1_000
    refused(post_raw(alpha, b"x" * 2_000), 413, "UPLOAD_004")


def test_broken_compression_is_refused(alpha: Cast) -> None:
    packed = gzip.compress(seed_file())
    for body, status, code in (
        (b"not gzip", 415, "UPLOAD_005"),
        (packed[:-10], 400, "UPLOAD_008"),
        (packed + b"more", 415, "UPLOAD_005"),
        (packed[:10] + b"\xff" * 20 + packed[30:], 415, "UPLOAD_005"),
    ):
        refused(post_raw(alpha, body, **{"Content-Encoding": "gzip"}), status, code)
    refused(post_raw(alpha, b"x", **{"Content-Encoding": "br"}), 415, "UPLOAD_005")


def test_an_upload_without_a_length_is_refused(alpha: Cast) -> None:
    """Trap 12: under WSGI a chunked body arrives empty."""
    answer = alpha.machine_client().generic(
        "POST", URL, b"", content_type="text/csv", headers={"transfer-encoding": "chunked"}
    )
    refused(answer, 400, "UPLOAD_008")


def test_other_media_types_are_refused(alpha: Cast) -> None:
    refused(post_raw(alpha, json.dumps({}).encode(), content_type="application/json"), 415, "UPLOAD_005")
    refused(post_raw(alpha, b"a=b", content_type="application/x-www-form-urlencoded"), 415, "UPLOAD_005")


def test_unknown_repeated_and_too_many_parts_are_refused(alpha: Cast) -> None:
    refused(post_form(alpha, files=seed_file()), 400, "REQUEST_003")
    refused(post_form(alpha, machine_id=MACHINE), 400, "UPLOAD_001")
    parts = [SimpleUploadedFile("a.csv", seed_file()) for _ in range(2)]
    refused(alpha.machine_client().post(URL, {"file": parts}), 400, "REQUEST_003")
    many = {f"f{index}": SimpleUploadedFile("a.csv", b"x") for index in range(500)}
    refused(alpha.machine_client().post(URL, many), 413, "UPLOAD_004")
    fields = {f"f{index}": "x" for index in range(500)}
    refused(alpha.machine_client().post(URL, fields), 413, "UPLOAD_004")


def test_a_multipart_body_that_breaks_off_is_refused(alpha: Cast) -> None:
    content_type = "multipart/form-data; boundary=xx"
    refused(post_raw(alpha, b"garbage", content_type=content_type), 400, "UPLOAD_001")
    refused(post_raw(alpha, b"garbage", content_type="multipart/form-data"), 400, "UPLOAD_008")


def test_uploads_of_one_machine_are_limited_and_say_how_long_to_wait(alpha: Cast, settings: Settings) -> None:
    settings.UPLOAD_RATE = "2/m"
    codes = [post_form(alpha, file=seed_file(n)).status_code for n in (1, 2)]
    answer = post_form(alpha, file=seed_file(3))
    assert codes == [201, 201]
    refused(answer, 429, "RATE_001")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_nothing_secret_is_logged_or_audited(alpha: Cast, caplog: pytest.LogCaptureFixture) -> None:
    """Trap 43."""
    post_form(alpha, file=seed_file())
    post_form(alpha, file=b"bad")
    secret = alpha.key.split("_")[-1]
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(a)::text FROM accounts_auditevent a")
        audited = "".join(row[0] for row in cursor.fetchall())
    assert secret not in caplog.text + audited


def test_a_file_of_very_many_tiny_rows_is_refused_before_it_fills_the_memory(
    alpha: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.batch.MAX_ROWS", 1000)
    body = b"timestamp,cpu_user\n" + b"1,\n" * 1001
    refused(post_raw(alpha, body), 413, "UPLOAD_004")
    refused(post_raw(alpha, body, f"{URL}?on_error=skip"), 413, "UPLOAD_004")
