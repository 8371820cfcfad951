"""analysis.store: a batch is stored once, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from accounts.models import AuditEvent
from analysis import partitions, rollups_tables, store
from analysis.models import Batch
from core.batch import Table
from core.catalogue import DATASETS
from core.errors import ServiceError
from tests import samples
from tests.cast import Cast


def values(cast: Cast, metric: str) -> list[Any]:
    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(f'SELECT "{metric}" FROM analysis_data ORDER BY "timestamp"')
        return [row[0] for row in cursor.fetchall()]


def test_a_batch_is_stored_with_ledger_last_seen_and_audit(alpha: Cast) -> None:
    start = samples.recent()
    stored = samples.upload(alpha, {"timestamp": samples.minutes(start, 3), "cpu_user": [1.0, None, 3.0]})
    assert (stored.repeated, stored.batch.records, stored.batch.duplicates) == (False, 3, 0)
    assert values(alpha, "cpu_user") == [1.0, None, 3.0]
    with schema_context("alpha"):
        assert alpha.collector().last_seen == stored.batch.received_at
        assert AuditEvent.objects.get(event="upload").records == 3


def test_the_same_batch_again_is_answered_from_the_ledger(alpha: Cast) -> None:
    columns: dict[str, list[Any]] = {"timestamp": samples.minutes(samples.recent(), 2), "cpu_user": [1.0, 2.0]}
    first = samples.upload(alpha, columns)
    again = samples.upload(alpha, columns)
    assert again.repeated
    assert (again.batch.batch_id, again.batch.received_at) == (first.batch.batch_id, first.batch.received_at)
    assert samples.count(alpha) == 2
    with schema_context("alpha"):
        assert AuditEvent.objects.filter(event="upload").count() == 1


def test_the_same_id_with_other_content_is_a_conflict(alpha: Cast) -> None:
    moments = samples.minutes(samples.recent(), 1)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [1.0]}, batch_id="b1")
    with pytest.raises(ServiceError) as refused:
        samples.upload(alpha, {"timestamp": moments, "cpu_user": [2.0]}, batch_id="b1")
    assert refused.value.code.code == "UPLOAD_006"
    assert values(alpha, "cpu_user") == [1.0]


def test_the_first_writer_of_a_sample_wins_and_the_others_are_counted(alpha: Cast) -> None:
    start = samples.recent()
    samples.upload(alpha, {"timestamp": samples.minutes(start, 2), "cpu_user": [1.0, 2.0]})
    stored = samples.upload(alpha, {"timestamp": samples.minutes(start, 3), "cpu_user": [7.0, 8.0, 9.0]})
    assert (stored.batch.records, stored.batch.duplicates) == (3, 2)
    assert values(alpha, "cpu_user") == [1.0, 2.0, 9.0]


def test_a_sample_twice_in_one_batch_is_stored_once(alpha: Cast) -> None:
    moment = samples.recent()
    stored = samples.upload(alpha, {"timestamp": [moment, moment], "cpu_user": [1.0, 2.0]})
    assert stored.batch.duplicates == 1
    assert values(alpha, "cpu_user") == [1.0]


def test_hostile_names_come_back_as_they_went_in(alpha: Cast) -> None:
    names = ["a\\b", "=cmd|x", "'; DROP TABLE x; --", "\\N", "<script>", "ünï ☃"]
    moment = samples.recent()
    samples.upload(
        alpha, {"timestamp": [moment] * len(names), "device": names, "util": [1.0] * len(names)}, dataset="disks"
    )
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SELECT device FROM analysis_disks")
        assert {row[0] for row in cursor.fetchall()} == set(names)


def test_arrays_and_integers_are_stored(alpha: Cast) -> None:
    moment = samples.recent()
    samples.upload(alpha, {"timestamp": [moment], "cpu_cores": [[1.5, 100.0]]})
    samples.upload(alpha, {"timestamp": [moment], "pid": [17], "name": ["sh"], "cpu": [0.5]}, dataset="processes")
    assert values(alpha, "cpu_cores") == [[1.5, 100.0]]
    assert samples.count(alpha, "analysis_processes") == 1


def test_several_datasets_are_stored_together_or_not_at_all(alpha: Cast) -> None:
    moment = samples.recent()
    with schema_context("alpha"):
        collector = alpha.collector()
        good = store.rows_of(Table(DATASETS["system"], {"timestamp": [moment], "cpu_user": [1.0]}), collector.pk)
        bad = store.Rows(
            DATASETS["disks"], ("collector_id", "timestamp", "device"), b"1\tnonsense\tsda\n", 1, moment, moment
        )
        window = (moment - timedelta(days=1), moment + timedelta(days=1))
        with pytest.raises(Exception, match="nonsense"):
            store.store(store.Upload(collector, "b1", "d1", [good, bad], window))
        assert not Batch.objects.exists()
    assert samples.count(alpha) == 0


@pytest.mark.parametrize(
    ("start", "before", "after"),
    [
        (datetime(2024, 2, 29, 23, 59, tzinfo=UTC), "y2024m02", "y2024m03"),
        (datetime(2023, 2, 28, 23, 59, tzinfo=UTC), "y2023m02", "y2023m03"),
        (datetime(2023, 12, 31, 23, 59, tzinfo=UTC), "y2023m12", "y2024m01"),
        (datetime(2024, 3, 31, 23, 59, tzinfo=UTC), "y2024m03", "y2024m04"),
    ],
)
def test_a_month_inside_the_window_gets_its_partition(alpha: Cast, start: datetime, before: str, after: str) -> None:
    """Trap 21: a batch over the end of a month, of a leap day, of a year; 23:59 UTC is the next month in Berlin."""
    window = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC))
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'Europe/Berlin'")
    samples.upload(alpha, {"timestamp": samples.minutes(start, 3), "cpu_user": [1.0, 2.0, 3.0]}, window=window)
    with schema_context("alpha"):
        made = {str(partition) for partition in partitions.existing()}
    assert {f"analysis_data_{before}", f"analysis_data_{after}"} <= made
    assert samples.count(alpha, f"analysis_data_{before}") == 1
    assert samples.count(alpha, f"analysis_data_{after}") == 2


def test_an_instant_outside_the_window_never_makes_a_partition(alpha: Cast) -> None:
    """Trap 15."""
    moment = datetime(2037, 1, 1, tzinfo=UTC)
    with pytest.raises(ServiceError) as refused:
        samples.upload(alpha, {"timestamp": [moment], "cpu_user": [1.0]})
    assert refused.value.code.code == "UPLOAD_007"
    with schema_context("alpha"):
        assert "analysis_data_y2037m01" not in {str(partition) for partition in partitions.existing()}


def test_the_digest_depends_on_content_and_dataset_but_not_on_order() -> None:
    assert store.digest([("a", b"1"), ("b", b"2")]) == store.digest([("b", b"2"), ("a", b"1")])
    assert store.digest([("a", b"1")]) != store.digest([("b", b"1")])
    assert store.digest([("a", b"12"), ("b", b"")]) != store.digest([("a", b"1"), ("b", b"2")])


def test_samples_of_one_tenant_are_not_in_the_other(alpha: Cast, beta: Cast) -> None:
    samples.upload(alpha, {"timestamp": [samples.recent()], "cpu_user": [1.0]})
    assert (samples.count(alpha), samples.count(beta)) == (1, 0)


def test_late_samples_mark_their_hours_for_the_roll_ups_and_fresh_ones_nothing(alpha: Cast) -> None:
    samples.upload(alpha, {"timestamp": [datetime.now(UTC)], "cpu_user": [1.0]})
    assert samples.count(alpha, rollups_tables.STALE) == 0
    samples.upload(alpha, {"timestamp": [samples.recent(30)], "cpu_user": [1.0]})
    assert samples.count(alpha, rollups_tables.STALE) == 1
