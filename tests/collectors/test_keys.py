"""collectors.keys: the form of a key, and how it is compared."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from collectors import keys
from collectors.keys import ENROLMENT, MACHINE, Secret

GOOD = f"pfa_{'0123456789abcdef'}_{'A' * 43}"


@pytest.mark.parametrize("prefix", [MACHINE, ENROLMENT])
def test_a_key_reads_back_as_itself(prefix: str) -> None:
    key = keys.generate(prefix)
    assert str(key).startswith(f"{prefix}_")
    assert keys.parse(str(key)) == key


def test_a_key_has_256_random_bits_of_its_own() -> None:
    made = [keys.generate(MACHINE) for _ in range(100)]
    assert len({key.secret for key in made}) == len({key.public_id for key in made}) == 100
    assert {len(key.secret) for key in made} == {43}


@pytest.mark.parametrize(
    "text",
    [
        "", "pfa", "pfa__", GOOD[:-1], GOOD + "A", GOOD.upper(), GOOD.replace("pfa", "pfb"), GOOD.replace("_", "-"),
        f" {GOOD}", f"{GOOD}\n", GOOD.replace("0123", "xyz0"), GOOD[:-1] + "=", GOOD[:-1] + "\0", GOOD[:-1] + "é",
        "pfa_٠123456789abcdef_" + "A" * 43, "x" * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_no_key(text: str) -> None:
    assert keys.parse(text) is None


def test_only_the_digest_of_the_secret_part_is_for_storing() -> None:
    key = keys.parse(GOOD)
    assert key is not None
    assert key.digest == hashlib.sha256(b"A" * 43).hexdigest()


def test_a_key_in_a_log_or_traceback_shows_its_id_only() -> None:
    """Trap 43."""
    key = keys.generate(MACHINE)
    assert repr(key) == f"<pfa_{key.public_id}>"
    assert key.secret not in f"{[key]!r}"


def test_a_key_matches_its_own_digest_only() -> None:
    key, other = keys.generate(MACHINE), keys.generate(MACHINE)
    assert key.matches(key.digest)
    assert not key.matches(other.digest)
    assert not key.matches(None)
    assert not key.matches("")
    assert not Secret(MACHINE, "0" * 16, "").matches("x")


def test_an_unknown_key_is_compared_as_a_known_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cost: two digests of 64 characters, in constant time."""
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    key = keys.generate(MACHINE)
    assert not key.matches(key.digest)
    assert not key.matches(None)
    assert compared == [(64, 64), (64, 64)]
