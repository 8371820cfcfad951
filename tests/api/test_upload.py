"""POST performance/upload."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.cast import Cast

URL = "/api/v1/performance/upload"


def test_a_small_csv_is_stored(alpha: Cast) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    text = f"timestamp,machine_id,cpu_user\n{moment.isoformat()},server1,12.5\n"
    answer = alpha.machine_client().post(URL, {"file": SimpleUploadedFile("a.csv", text.encode())})
    assert answer.status_code == 201, answer.content
    assert answer.json()["records_processed"] == 1
