"""Reports over the API: asked for, followed, fetched, deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Role
from core.tenancy import leave_tenant
from tests import samples
from tests.cast import MACHINE, Cast

BASE = "/api/v1/reports"


def order(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    period = {"start": (now - timedelta(days=1)).isoformat(), "end": now.isoformat()}
    return {"title": "Weekly", "machine_ids": [MACHINE], **period, **changed}


def test_from_asking_to_the_file(alpha: Cast) -> None:
    moments = samples.minutes(samples.recent(2), 90)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [5.0] * 90, "cpu_idle": [95.0] * 90})
    client = alpha.client(Role.ANALYST)
    asked = client.post(BASE, order(), content_type="application/json")
    assert asked.status_code == 202
    report = asked.json()
    assert (report["state"], report["created_by"]) == ("queued", "analyst@alpha.example")
    assert client.get(f"{BASE}/{report['id']}/report.pdf").status_code == 404
    leave_tenant()  # the worker is another process
    call_command("work", "--once")
    assert client.get(f"{BASE}/{report['id']}").json()["state"] == "done"
    file = client.get(f"{BASE}/{report['id']}/report.pdf")
    assert file.headers["Content-Type"] == "application/pdf"
    assert file.headers["Content-Disposition"].startswith('attachment; filename="report_')
    assert file.content.startswith(b"%PDF-")
    assert client.get(f"{BASE}/{report['id']}/report.exe").status_code == 404
    assert client.delete(f"{BASE}/{report['id']}").status_code == 204
    assert client.get(BASE).json() == {"reports": []}
    assert client.get(f"{BASE}/{report['id']}/report.pdf").status_code == 404


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"machine_ids": ["nobody"]}, 404, "EXPORT_002"),
        ({"end": "2020-01-01T00:00:00Z"}, 400, "EXPORT_001"),
        ({"start": "yesterday"}, 400, "REQUEST_003"),
        ({"time_zone": "../etc/passwd"}, 400, "REQUEST_003"),
        ({"title": "x" * 121}, 400, "REQUEST_003"),
        ({"machine_ids": "all"}, 400, "REQUEST_003"),
    ],
)
def test_a_bad_order_is_refused_with_a_reason(alpha: Cast, changed: Any, status: int, code: str) -> None:
    answer = alpha.client(Role.ANALYST).post(BASE, order(**changed), content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_tenants_report_is_not_there(alpha: Cast, beta: Cast) -> None:
    report = alpha.client(Role.ADMIN).post(BASE, order(), content_type="application/json").json()
    stranger = beta.client(Role.ADMIN)
    assert stranger.get(BASE).json() == {"reports": []}
    for call in (stranger.get, stranger.delete):
        assert call(f"{BASE}/{report['id']}").status_code == 404
    assert alpha.client(Role.ADMIN).get(f"{BASE}/{report['id']}").status_code == 200
