"""The spool: durable, bounded, ordered, and never stopped by what it finds."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from agent import journal
from agent.ages import SETTLING_SECONDS
from agent.clocks import Instant
from agent.journal import CorruptError
from agent.spool import SYNC_SECONDS, Spool, SpoolError

DAY = 86_400.0


def lines(number: int) -> dict[str, list[str]]:
    return {"system": [f"2026-01-05T12:00:{number:02d}Z,m,{number}"], "disks": [f"a{number}", f"b{number}"]}


@pytest.fixture
def spool(spool_dir: str) -> Any:
    opened = Spool(spool_dir)
    opened.open()
    yield opened
    opened.close()


def fill(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        spool.append(lines(number))
    spool.seal()


def test_a_sealed_batch_reads_back_what_was_appended(spool: Spool) -> None:
    fill(spool, 1, 2)
    (sealed,) = spool.batches()
    batch = spool.load(sealed)
    assert (sealed.samples, sealed.rows, batch.rows) == (2, 6, 6)
    assert batch.files()["disks"].splitlines()[1:] == ["a1", "b1", "a2", "b2"]
    assert batch.files()["system"].startswith("timestamp,machine_id,cpu_user,")


def test_an_empty_batch_is_never_sealed(spool: Spool) -> None:
    spool.seal()
    assert spool.batches() == []


def test_files_are_for_their_owner_only(spool: Spool) -> None:
    fill(spool, 1)
    assert os.stat(spool.batches()[0].path).st_mode & 0o777 == 0o600
    assert os.stat(spool.queue).st_mode & 0o777 == 0o700


def test_a_second_agent_is_turned_away(spool: Spool, spool_dir: str) -> None:
    with pytest.raises(SpoolError, match="in use by another agent"):
        Spool(spool_dir).open()


def reopened(spool: Spool) -> Spool:
    spool._journal = None
    os.close(spool._lock)
    again = Spool(spool.root)
    again.open()
    spool._lock = os.dup(again._lock)
    return again


def test_a_journal_left_by_a_crash_becomes_a_batch_under_the_same_id(spool: Spool) -> None:
    spool.append(lines(1))
    (name,) = os.listdir(spool.queue)
    (sealed,) = reopened(spool).batches()
    assert sealed.batch_id == name[11:43]


def test_a_torn_last_record_is_cut_off(spool: Spool) -> None:
    spool.append(lines(1))
    (name,) = os.listdir(spool.queue)
    with open(f"{spool.queue}/{name}", "ab") as file:
        file.write(b'0badc0de {"system":[')
    again = reopened(spool)
    assert again.load(again.batches()[0]).rows == 3
    assert not again.counters


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0000000001-" + "a" * 32 + ".journal", b"garbage\nmore garbage\n"),
        ("0000000001-" + "a" * 32 + ".journal", b"\x00" * 4096 + b"\n"),
        ("hello.txt", b"foreign"),
        ("0000000001-ZZ.batch", b""),
    ],
)
def test_a_strange_file_is_set_aside_and_the_service_starts(spool: Spool, name: str, content: bytes) -> None:
    Path(spool.queue, name).write_bytes(content)
    again = reopened(spool)
    assert os.listdir(spool.queue) == []
    assert len(os.listdir(spool.quarantine_folder)) == 1
    assert again.counters["quarantined_files"] == 1


def test_a_folder_where_a_file_should_be_is_set_aside(spool: Spool) -> None:
    Path(spool.queue, "0000000001-" + "a" * 32 + ".journal").mkdir()
    reopened(spool)
    assert os.listdir(spool.queue) == []


@pytest.mark.parametrize("damage", ["truncate", "flip", "extend", "empty"])
def test_a_damaged_batch_is_known_as_such(spool: Spool, damage: str) -> None:
    fill(spool, 1, 2)
    (sealed,) = spool.batches()
    data = Path(sealed.path).read_bytes()
    records = data.splitlines(keepends=True)
    damaged = {
        "truncate": b"".join(records[:-1]),
        "flip": data.replace(b"12:00:01", b"12:00:07"),
        "extend": data + records[-1],
        "empty": b"",
    }
    Path(sealed.path).write_bytes(damaged[damage])
    with pytest.raises(CorruptError):
        spool.load(sealed)


def test_the_oldest_are_dropped_beyond_the_size_and_counted(spool: Spool) -> None:
    for number in range(4):
        fill(spool, number, number + 10)
    size = os.stat(spool.batches()[0].path).st_size
    spool.enforce_bounds(2 * size + 10, 86_400)
    assert [sealed.number for sealed in spool.batches()] == [3, 4]
    assert spool.counters == {"dropped_batches": 2, "dropped_samples": 4}


class Clock:
    """Three clocks that stand still until they are told to go on."""

    def __init__(self) -> None:
        self.instant = Instant(1_760_000_000.0, 100.0, 100.0)

    def __call__(self) -> Instant:
        return self.instant

    def go_on(self, seconds: float, jump: float = 0.0) -> None:
        now = self.instant
        self.instant = Instant(now.wall + seconds + jump, now.monotonic + seconds, now.boottime + seconds)


def aged(spool: Spool, clock: Clock) -> list[int]:
    """Numbers of the batches that stay when a day is the limit."""
    spool.enforce_bounds(1 << 30, DAY)
    return [sealed.number for sealed in spool.batches()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(spool_dir: str, clock: Clock) -> Any:
    """A spool that found one batch of two days ago when it was opened."""
    before = Spool(spool_dir)
    before.open()
    fill(before, 1)
    os.utime(before.batches()[0].path, (clock().wall - 2 * DAY,) * 2)
    before.close()
    opened = Spool(spool_dir, clock)
    opened.open()
    yield opened
    opened.close()


def test_batches_beyond_the_age_are_dropped_and_counted(timed: Spool, clock: Clock) -> None:
    clock.go_on(SETTLING_SECONDS)
    assert aged(timed, clock) == []
    assert timed.counters == {"dropped_batches": 1, "dropped_samples": 1}


def test_no_batch_is_too_old_while_the_clock_may_still_be_wrong(timed: Spool, clock: Clock) -> None:
    clock.go_on(SETTLING_SECONDS - 1)
    assert aged(timed, clock) == [1]


def test_a_clock_that_jumps_a_year_ahead_makes_no_batch_too_old(timed: Spool, clock: Clock) -> None:
    os.utime(timed.batches()[0].path, (clock().wall - 60,) * 2)
    fill(timed, 2)
    clock.go_on(2 * SETTLING_SECONDS, jump=365 * DAY)
    assert aged(timed, clock) == [1, 2]
    clock.go_on(DAY - 2 * SETTLING_SECONDS)
    assert aged(timed, clock) == [2], "the first, by the wall clock less its jump"
    clock.go_on(2 * SETTLING_SECONDS + 1)
    assert aged(timed, clock) == [], "the second has been seen waiting for a day"


def failing(real: Any, error: int, times: int) -> Any:
    remaining = [times]

    def call(*arguments: Any) -> Any:
        if remaining[0]:
            remaining[0] -= 1
            raise OSError(error, os.strerror(error))
        return real(*arguments)

    return call


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_the_batch_as_it_was(spool: Spool, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    spool.append(lines(1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(os.write, error, 1))
        with pytest.raises(OSError, match=os.strerror(error)):
            spool.append(lines(2))
    spool.append(lines(3))
    spool.seal()
    assert samples(spool) == ["a1", "a3"]


def test_a_journal_that_cannot_be_begun_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(os.write, errno.ENOSPC, 1))
        with pytest.raises(OSError, match="space"):
            spool.append(lines(1))
    assert os.listdir(spool.queue) == []
    fill(spool, 1)
    assert len(spool.batches()) == 1


def samples(spool: Spool) -> list[str]:
    """The first line of disks of each sample of the one batch that waits."""
    (sealed,) = spool.batches()
    return [record.lines["disks"][0] for record in spool.load(sealed).records]


class Disk:
    """What a power cut would leave: each file as at its last fsync, if its folder was synced since it was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real = os.fsync
        self._contents: dict[str, bytes] = {}
        self._names: set[str] = set()
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, handle: int) -> None:
        self._real(handle)
        path = os.readlink(f"/proc/self/fd/{handle}")
        if os.path.isdir(path):
            self._names.update(entry.path for entry in os.scandir(path))
        else:
            self._contents[path] = Path(path).read_bytes()

    def text(self) -> str:
        return b"".join(content for path, content in self._contents.items() if path in self._names).decode()


@pytest.mark.parametrize("seconds", [1, 4, 7, 10, 60])
def test_no_sample_waits_longer_than_ten_seconds_for_the_disk(
    spool_dir: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    disk, taken = Disk(monkeypatch), dict[int, float]()
    spool = Spool(spool_dir, clock)
    spool.open()
    for number in range(60):
        taken[number] = clock().monotonic
        spool.append(lines(number))
        spool.sync_if_due()
        clock.go_on(seconds)  # the next sample is due, and the machine may stop before it
        waiting = [clock().monotonic - moment for row, moment in taken.items() if f'"a{row}"' not in disk.text()]
        assert max(waiting, default=0.0) <= SYNC_SECONDS
        if number % 13 == 12:
            spool.seal()
    spool.close()


def test_of_a_sample_a_second_each_tenth_is_synced(
    spool_dir: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    spool = Spool(spool_dir, clock)
    spool.open()
    for number in range(50):
        spool.append(lines(number))
        spool.sync_if_due()
        clock.go_on(1)
    assert len(calls) == 5 + 1, "and the folder once"
    spool.close()


def test_a_sealed_batch_is_on_the_disk(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut after its upload could leave less under the same id."""
    disk = Disk(monkeypatch)
    spool.append(lines(1))
    spool.sync_if_due()
    spool.append(lines(2))
    spool.sync_if_due()
    assert '"a2"' not in disk.text()
    spool.seal()
    assert '"a2"' in disk.text()


@pytest.mark.parametrize("failures", [1, 2])
def test_what_the_disk_refused_is_written_anew(
    spool_dir: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """The kernel takes pages that it could not write for written, and may forget them."""
    spool = Spool(spool_dir, clock)
    spool.open()
    spool.append(lines(1))
    spool.sync_if_due()
    good = os.stat(spool._journal.path).st_size  # type: ignore[union-attr]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(os.fsync, errno.EIO, failures))
        for number in range(2, 2 + failures):
            clock.go_on(60)
            spool.append(lines(number))
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                spool.sync_if_due()
            assert spool.doubtful_samples == number - 1
    with open(spool._journal.path, "r+b") as file:  # type: ignore[union-attr]
        size = file.seek(0, os.SEEK_END)
        file.seek(good)
        file.write(bytes(size - good))
    clock.go_on(60)
    spool.append(lines(2 + failures))
    spool.sync_if_due()
    assert spool.doubtful_samples == 0
    spool.seal()
    assert samples(spool) == [f"a{number}" for number in range(1, 3 + failures)]
    spool.close()


def test_a_batch_that_the_disk_refuses_is_not_sealed(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(lines(1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(os.fsync, errno.EIO, 1))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            spool.seal()
    assert spool.batches() == []
    fill(spool, 2)
    assert samples(spool) == ["a1", "a2"]


def test_a_split_gives_the_same_halves_each_time(spool: Spool) -> None:
    fill(spool, 1, 2, 3)
    (sealed,) = spool.batches()
    batch = spool.load(sealed)
    spool.split(sealed, batch)
    halves = spool.batches()
    contents = [Path(half.path).read_bytes() for half in halves]
    spool.split(sealed, batch)
    assert spool.batches() == halves
    assert [Path(half.path).read_bytes() for half in halves] == contents
    assert sum(spool.load(half).rows for half in halves) == batch.rows


def test_a_record_is_bound_to_its_checksum() -> None:
    record = journal.encode_record({"system": ["é"]})
    assert journal.decode_record(record[:-1]) == {"system": ["é"]}
    with pytest.raises(CorruptError):
        journal.decode_record(record[:-1].replace(b"sys", b"SYS"))
