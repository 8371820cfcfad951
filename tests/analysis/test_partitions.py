"""analysis.partitions, tables and months; manage.py partitions."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from io import StringIO

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_context

from analysis import partitions, tables
from analysis.migrations import __path__ as migrations_path
from analysis.months import Month, between
from analysis.partitions import Partition
from core.catalogue import DATASETS, fingerprint
from partners.models import Partner
from tests.cast import Cast


def columns_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = %s ORDER BY ordinal_position",
            [table],
        )
        return [row[0] for row in cursor.fetchall()]


def test_tables_have_the_columns_of_the_catalogue(alpha: Cast) -> None:
    with schema_context("alpha"):
        for dataset in DATASETS.values():
            assert columns_of(dataset.table) == [*tables.key_columns(dataset), *dataset.metric_names]


def test_the_newest_migration_knows_the_catalogue() -> None:
    """A metric without a migration would exist in new schemas only."""
    from importlib import import_module
    from pkgutil import iter_modules

    names = sorted(module.name for module in iter_modules(migrations_path))
    known = [getattr(import_module(f"analysis.migrations.{name}"), "CATALOGUE", None) for name in names]
    assert [value for value in known if value][-1] == fingerprint()


def test_bringing_a_table_to_the_catalogue_twice_changes_nothing(alpha: Cast) -> None:
    with schema_context("alpha"):
        before = columns_of("analysis_data")
        for statement in tables.statements():
            partitions.execute(statement)
        assert columns_of("analysis_data") == before


def test_a_new_partner_has_this_month_and_the_next_three(alpha: Cast) -> None:
    now = datetime.now(UTC)
    with schema_context("alpha"):
        there = partitions.existing()
        assert partitions.plan_ahead(now) == []
    for ahead in range(4):
        assert Partition("analysis_data", Month.of(now).plus(ahead)) in there


def test_there_is_no_default_partition_and_no_second_index(alpha: Cast) -> None:
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'alpha'::regnamespace"
            " AND pg_get_expr(relpartbound, oid) = 'DEFAULT'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE schemaname = 'alpha' AND tablename = 'analysis_data'")
        assert cursor.fetchone() == (1,)


def test_bounds_are_utc_whatever_the_sessions_time_zone(alpha: Cast) -> None:
    """Trap 35."""
    month = Month(2031, 5)
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Pacific/Auckland'")
        partitions.create([Partition("analysis_data", month)])
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        cursor.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'analysis_data_y2031m05'::regclass"
        )
        bound = cursor.fetchone()[0]
    assert bound == "FOR VALUES FROM ('2031-05-01 00:00:00+00') TO ('2031-06-01 00:00:00+00')"


def test_a_range_on_the_raw_timestamp_touches_only_its_partition(alpha: Cast) -> None:
    """Trap 34."""
    with schema_context("alpha"), connection.cursor() as cursor:
        partitions.create(partitions.plan([Month(2026, month) for month in (1, 2, 3)]))
        cursor.execute(
            "EXPLAIN SELECT * FROM analysis_data WHERE collector_id = 1"
            " AND \"timestamp\" >= '2026-02-01+00' AND \"timestamp\" < '2026-02-08+00'"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "analysis_data_y2026m02" in plan
    assert "analysis_data_y2026m01" not in plan
    assert "analysis_data_y2026m03" not in plan


def test_making_a_partition_twice_is_harmless(alpha: Cast) -> None:
    partition = Partition("analysis_data", Month(2031, 6))
    with schema_context("alpha"):
        partitions.create([partition])
        partitions.create([partition])
        assert partition in partitions.existing()


def test_a_lock_that_is_held_is_given_up_and_tried_again(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 33: DDL waits briefly, so that an upload behind it does not wait long."""
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "30ms")
    held, released = threading.Event(), threading.Event()
    parameters = connection.get_connection_params()

    def hold() -> None:
        with closing(psycopg2.connect(**parameters)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE alpha.analysis_disks IN ACCESS EXCLUSIVE MODE")
            held.set()
            time.sleep(0.4)
            released.set()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    with schema_context("alpha"):
        partitions.create([Partition("analysis_disks", Month(2031, 7))])
    assert released.is_set()
    thread.join()


def test_months_roll_over() -> None:
    assert Month(2026, 12).plus(1) == Month(2027, 1)
    assert Month(2026, 1).plus(-1) == Month(2025, 12)
    assert list(between(datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))) == [
        Month(2025, 12), Month(2026, 1),
    ]  # fmt: skip
    assert Month.of_partition("analysis_data_y2026m02") == Month(2026, 2)
    assert Month.of_partition("something_else") is None


def test_the_command_plans_with_dry_run_and_makes_without(alpha: Cast) -> None:
    month = Month.of(datetime.now(UTC)).plus(3)
    with schema_context("alpha"):
        partitions.drop(Partition("analysis_data", month))
    name = f"analysis_data{month.suffix}"
    assert f"alpha: would make {name}" in run("partitions", "--dry-run", "--schema", "alpha")
    assert f"alpha: made {name}" in run("partitions", "--schema", "alpha")
    assert run("partitions", "--schema", "alpha") == "alpha: made nothing\n"


def test_the_command_refuses_an_unknown_schema(alpha: Cast) -> None:
    with pytest.raises((CommandError, Partner.DoesNotExist)):
        run("partitions", "--schema", "nobody")


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()
