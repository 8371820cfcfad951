"""Page Silences: made once or again and again, in the tenant's time zone; ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import tenant_settings
from accounts.models import Role
from alerts.models import Silence
from core.tenancy import schema_context
from tests.cast import MACHINE, Cast

GOOD = {"name": "Backup", "machine_ids": [MACHINE], "starts_at": "2026-07-01T02:00", "minutes": "90"}


@pytest.fixture
def berlin(alpha: Cast) -> Cast:
    with schema_context(alpha.schema):
        tenant_settings.change(actor="test", ip=None, time_zone="Europe/Berlin")
    return alpha


def only(cast: Cast) -> Silence:
    with schema_context(cast.schema):
        return Silence.objects.get()


def make(cast: Cast, **changed: Any) -> Any:
    return cast.client(Role.ANALYST).post("/alerts/silences/make", {**GOOD, **changed})


def test_one_silence_lasts_from_its_time_in_the_tenants_zone(berlin: Cast) -> None:
    assert make(berlin).status_code == 302
    silence = only(berlin)
    assert silence.starts_at == datetime(2026, 7, 1, 0, tzinfo=UTC)
    assert silence.ends_at == datetime(2026, 7, 1, 1, 30, tzinfo=UTC)
    assert (silence.machine_ids, silence.recurrence, silence.created_by) == ([MACHINE], "", "analyst@alpha.example")


def test_a_window_that_comes_again_ends_with_its_last_day(berlin: Cast) -> None:
    assert make(berlin, recurrence="FREQ=WEEKLY", ends_on="2026-12-31").status_code == 302
    silence = only(berlin)
    assert (silence.recurrence, silence.minutes) == ("FREQ=WEEKLY", 90)
    assert silence.ends_at == datetime(2026, 12, 31, 23, tzinfo=UTC)


def test_what_holds_and_what_is_to_come_are_listed_in_the_zone(berlin: Cast) -> None:
    now = timezone.now()
    with schema_context(berlin.schema):
        Silence.objects.create(name="Holds", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1))
        Silence.objects.create(name="Sundays", starts_at=now - timedelta(days=100), recurrence="FREQ=DAILY", minutes=1)
        Silence.objects.create(name="Past", starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1))
    text = berlin.client(Role.VIEWER).get("/alerts/silences").content.decode()
    assert "holds" in text
    assert "to come" in text
    assert "Europe/Berlin" in text
    assert text.index("Holds") < text.index("Sundays") < text.index("Past")
    assert "/end" not in text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"recurrence": "own", "own_recurrence": "FREQ=SECONDLY"}, "It recurs FREQ="),
        ({"recurrence": "own", "own_recurrence": ""}, "Write the rule, or choose"),
        ({"recurrence": "own", "own_recurrence": "FREQ=DAILY;NONSENSE=1"}, "no recurrence as RFC 5545"),
        ({"minutes": "0"}, "greater than or equal to 1"),
        ({"starts_at": "soon"}, "Enter a valid date/time"),
        ({"machine_ids": ["nobody"]}, "not one of the available choices"),
    ],
)
def test_a_senseless_silence_is_refused_with_the_reason(berlin: Cast, changed: dict[str, Any], words: str) -> None:
    answer = make(berlin, **changed)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    with schema_context(berlin.schema):
        assert not Silence.objects.exists()


def test_the_form_can_be_opened_for_a_machine(alpha: Cast) -> None:
    text = alpha.client(Role.ANALYST).get(f"/alerts/silences?machine={MACHINE}").content.decode()
    assert f'<option value="{MACHINE}" selected>' in text


def test_a_silence_is_ended_at_once(alpha: Cast, beta: Cast) -> None:
    now = timezone.now()
    with schema_context(alpha.schema):
        silence = Silence.objects.create(name="S", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1))
    assert beta.client(Role.ADMIN).post(f"/alerts/silences/{silence.pk}/end").status_code == 404
    assert alpha.client(Role.ANALYST).post(f"/alerts/silences/{silence.pk}/end").status_code == 302
    ended = only(alpha).ends_at
    assert ended is not None
    assert ended <= timezone.now()
