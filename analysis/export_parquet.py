"""Exports as Parquet: row groups are written while PostgreSQL is asked for the next slice, so memory stays flat.

Units and descriptions are metadata of the columns (Arrow's field metadata), and of the file for readers that show only
that. A reader gets the very values that are stored: 4-byte floats, microseconds, text as it was sent.
"""

from __future__ import annotations

import io
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, cast

import polars as pl
from polars.io.plugins import register_io_source

from analysis.arrow_metadata import SchemaWithMetadata
from analysis.export import Selection, copy, parameters, samples_query, slices
from collectors.models import Collector

ROW_GROUP = 100_000
DTYPES: Mapping[str, pl.DataType] = {
    "real": pl.Float32(), "real[]": pl.List(pl.Float32), "text": pl.String(), "bigint": pl.Int64(),
}  # fmt: skip
_NULL = "\x01"
"""Of the intermediate CSV: no cell can hold it, since control characters are refused at the upload."""
_TIMESTAMP = """"timestamp" AT TIME ZONE 'UTC'"""


def parquet(selection: Selection) -> Iterator[bytes]:
    """One Parquet file, zstd, machine after machine, each by time."""
    writer = _Writer(selection)
    try:
        for piece in slices(selection, _slice):
            writer.put(_frame(selection, piece))
            yield from writer.written()
        writer.finish()
        yield from writer.written()
    finally:
        writer.abandon()


def schema(selection: Selection) -> dict[str, pl.DataType]:
    """Column → polars type, in the order of the export's header."""
    dataset = selection.dataset
    instance = {dataset.instance: DTYPES[dataset.instance_dtype]} if dataset.instance else {}
    metrics = {name: DTYPES[dataset.metric(name).dtype] for name in selection.metrics}
    return {"timestamp": pl.Datetime("us", "UTC"), "machine_id": pl.String(), **instance, **metrics}


def column_metadata(selection: Selection) -> dict[str, dict[str, str]]:
    """Metric → what a reader should know of it."""
    metrics = map(selection.dataset.metric, selection.metrics)
    return {
        metric.name: {
            "title": metric.title, "unit": metric.unit, "kind": metric.kind, "description": metric.sentence,
            "source": metric.source,
        }
        for metric in metrics
    }  # fmt: skip


def _slice(selection: Selection, machine: Collector, start: datetime, end: datetime) -> bytes:
    query = samples_query(selection, _TIMESTAMP, _column)
    return copy(query, parameters(selection, machine, start, end), f"FORMAT csv, NULL '{_NULL}'")


def _column(name: str, dtype: str) -> str:
    return f"""nullif(array_to_string("{name}", ';'), '') AS "{name}\"""" if dtype == "real[]" else f'"{name}"'


def _frame(selection: Selection, piece: bytes) -> pl.DataFrame:
    wanted = schema(selection)
    texts = {name: dtype if dtype.is_numeric() else pl.String() for name, dtype in wanted.items()}
    lists = [name for name, dtype in wanted.items() if isinstance(dtype, pl.List)]
    frame = pl.read_csv(piece, has_header=False, schema=texts, null_values=_NULL, empty_string_is_null=False)
    return frame.with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC"),
        pl.col(lists).str.split(";").cast(pl.List(pl.Float32)),
    )


class _Stop(Exception):  # noqa: N818  # no error: nobody reads any more
    """Ends the writer's thread when the reader has gone."""


class _Writer:
    """A thread in which polars writes the frames that it is given; what it has written waits for the reader."""

    def __init__(self, selection: Selection) -> None:
        self._frames: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(maxsize=1)
        self._output = _Output()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(selection,), name="parquet", daemon=True)
        self._thread.start()

    def put(self, frame: pl.DataFrame | BaseException | None) -> None:
        """Hand over the next frame (None: there is no more); waits while the one before is not taken yet."""
        while self._thread.is_alive():
            try:
                return self._frames.put(frame, timeout=1)
            except queue.Full:
                continue
        raise self._failure or RuntimeError("the Parquet writer has ended")

    def finish(self) -> None:
        self.put(None)
        self._thread.join()
        if self._failure:
            raise self._failure

    def abandon(self) -> None:
        """End the thread, whatever it is doing; nothing when it has ended."""
        if self._thread.is_alive():
            self.put(_Stop())
            self._thread.join()

    def written(self) -> Iterator[bytes]:
        return self._output.take()

    def _run(self, selection: Selection) -> None:
        wanted, columns = schema(selection), column_metadata(selection)
        about = {"dataset": selection.dataset.name, "columns": json.dumps(columns, ensure_ascii=False)}
        try:
            register_io_source(lambda *_: self._taken(), schema=wanted).sink_parquet(
                cast(IO[bytes], self._output), row_group_size=ROW_GROUP, metadata=about,
                arrow_schema=SchemaWithMetadata(pl.Schema(wanted), columns),
            )  # fmt: skip
        except BaseException as error:  # handed to the thread that reads
            self._failure = error

    def _taken(self) -> Iterator[pl.DataFrame]:
        while (frame := self._frames.get()) is not None:
            if isinstance(frame, BaseException):
                raise frame
            yield frame


class _Output(io.RawIOBase):
    """A file that one thread writes and another takes from."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]  # any buffer, which RawIOBase's own type cannot say
        self._chunks.put(chunk)
        return len(chunk)

    def take(self) -> Iterator[bytes]:
        """What was written since the last time."""
        chunks = []
        while not self._chunks.empty():
            chunks.append(self._chunks.get())
        if chunks:
            yield b"".join(chunks)
