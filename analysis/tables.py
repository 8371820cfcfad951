"""The sample tables as SQL, from the catalogue: one range-partitioned table a dataset, keyed by collector and time."""

from __future__ import annotations

from core.catalogue import DATASETS, Dataset

SQL_TYPES = {"real": "real", "real[]": "real[]", "text": "text", "bigint": "bigint"}


def key_columns(dataset: Dataset) -> tuple[str, ...]:
    return ("collector_id", "timestamp", *((dataset.instance,) if dataset.instance else ()))


def create_table(dataset: Dataset) -> str:
    """Parent table: no surrogate id, no second index, no DEFAULT partition, no foreign key (checked row by row)."""
    columns = ['"collector_id" bigint NOT NULL', '"timestamp" timestamptz NOT NULL']
    if dataset.instance:
        columns.append(f'"{dataset.instance}" {SQL_TYPES[dataset.instance_dtype]} NOT NULL')
    columns += [f'"{metric.name}" {SQL_TYPES[metric.dtype]}' for metric in dataset.metrics]
    key = ", ".join(f'"{column}"' for column in key_columns(dataset))
    body = ",\n  ".join([*columns, f"PRIMARY KEY ({key})"])
    return f'CREATE TABLE IF NOT EXISTS "{dataset.table}" (\n  {body}\n) PARTITION BY RANGE ("timestamp")'


def add_columns(dataset: Dataset) -> str:
    """Adds what the catalogue has and the table has not; a new column is NULL, so this is instant."""
    wanted = ", ".join(
        f'ADD COLUMN IF NOT EXISTS "{metric.name}" {SQL_TYPES[metric.dtype]}' for metric in dataset.metrics
    )
    return f'ALTER TABLE "{dataset.table}" {wanted}'


def statements() -> list[str]:
    """What brings a schema's sample tables to the catalogue; safe to run again."""
    return [sql for dataset in DATASETS.values() for sql in (create_table(dataset), add_columns(dataset))]
