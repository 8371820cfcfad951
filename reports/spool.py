"""The agent's spool as input: batches that are sealed, or still being filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.journal import Batch, CorruptError, decode_batch
from reports.reading import ExportError, show

SUFFIXES = (".batch", ".journal")


def expand(paths: Sequence[Path]) -> list[Path]:
    """A folder stands for the batches of the spool that it is, oldest first."""
    return [found for path in paths for found in (_batches(path) if path.is_dir() else [path])]


def _batches(folder: Path) -> list[Path]:
    queue = folder / "queue" if (folder / "queue").is_dir() else folder
    found = sorted(path for path in queue.iterdir() if path.suffix in SUFFIXES)
    if not found:
        raise ExportError(f"{show(folder.name or str(folder))} is a folder, and no spool with batches of an agent.")
    return found


def is_batch(path: Path) -> bool:
    return path.suffix in SUFFIXES


def texts(paths: Iterable[Path]) -> dict[str, bytes]:
    """All batches together as one CSV text a dataset; raises ExportError. A torn last record is left out."""
    parts: dict[str, list[str]] = {}
    for path in paths:
        batch = _read(path)
        for name, header in batch.headers.items():
            lines = [str(line) for record in batch.records for line in record.lines.get(name, ())]
            if lines:
                parts.setdefault(f"{name}\n{header}", []).extend(lines)
    return {key: "\n".join([key.partition("\n")[2], *lines, ""]).encode() for key, lines in sorted(parts.items())}


def _read(path: Path) -> Batch:
    try:
        return decode_batch(path.read_bytes())[0]
    except OSError as error:
        raise ExportError(f"{show(path.name)} cannot be read: {error.strerror}.") from None
    except CorruptError as error:
        raise ExportError(f"{show(path.name)} is no batch of an agent: {show(str(error))}.") from None
    except (ValueError, TypeError, AttributeError):
        raise ExportError(f"{show(path.name)} is no batch of an agent.") from None
