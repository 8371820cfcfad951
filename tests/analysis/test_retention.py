"""analysis.retention and manage.py retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

from django.core.management import call_command
from django_tenants.utils import schema_context

from analysis import partitions, retention
from analysis.months import Month
from tests import samples
from tests.cast import Cast

LONG = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def stored(cast: Cast, *moments: datetime) -> None:
    samples.upload(cast, {"timestamp": list(moments), "cpu_user": [1.0] * len(moments)}, window=LONG)


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("retention", "--schema", "alpha", *arguments, stdout=output)
    return output.getvalue()


def test_whole_months_are_dropped_and_the_boundary_month_is_trimmed(alpha: Cast) -> None:
    limit = retention.cutoff(datetime.now(UTC), alpha.partner.retention_days)
    long_ago, just_gone, just_kept = (
        limit - timedelta(days=70),
        limit - timedelta(minutes=5),
        limit + timedelta(hours=1),
    )
    stored(alpha, long_ago, just_gone, just_kept)
    output = run()
    assert f"drop analysis_data{Month.of(long_ago).suffix}" in output
    assert samples.count(alpha) == 1
    with schema_context("alpha"):
        assert Month.of(long_ago) not in {partition.month for partition in partitions.existing()}


def test_a_dry_run_says_what_would_go_and_changes_nothing(alpha: Cast) -> None:
    limit = retention.cutoff(datetime.now(UTC), alpha.partner.retention_days)
    stored(alpha, limit - timedelta(days=70), limit - timedelta(minutes=5))
    output = run("--dry-run")
    assert "would drop analysis_data" in output
    assert samples.count(alpha) == 2


def test_running_it_twice_is_harmless(alpha: Cast) -> None:
    stored(alpha, samples.recent())
    run()
    run()
    assert samples.count(alpha) == 1


def test_other_tenants_are_left_alone(alpha: Cast, beta: Cast) -> None:
    old = datetime.now(UTC) - timedelta(days=200)
    stored(alpha, old)
    stored(beta, old)
    run()
    assert (samples.count(alpha), samples.count(beta)) == (0, 1)
