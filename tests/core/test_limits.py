"""core.limits: who the client is, and what happens when it comes too often or the cache is away."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.test import Client, RequestFactory

from core import limits
from core.cache import DiskCache
from core.errors import ServiceError
from tests import samples
from tests.cast import PASSWORD, Cast

UPLOAD = "/api/v1/performance/upload"
REQUEST = RequestFactory().get("/")


class AwayCache(BaseCache):
    """Redis that does not answer (trap 31)."""

    error: type[Exception] = redis.ConnectionError

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def _away(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error("cache.example:6379 is away")

    add = get = set = touch = delete = clear = incr = get_many = set_many = delete_many = _away


class AwayOnDisk(AwayCache):
    error = sqlite3.OperationalError


class ForgetfulCache(AwayCache):
    """One that takes everything and keeps nothing, as memcached does behind some clients."""

    def _nothing(self, *args: Any, **kwargs: Any) -> Any:
        return None

    def incr(self, *args: Any, **kwargs: Any) -> int:
        raise ValueError

    add = get = set = delete = clear = delete_many = _nothing


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> float:
    """Stands still, so that no window ends in the middle of a test."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    return now


@pytest.fixture(params=[AwayCache, AwayOnDisk, ForgetfulCache], ids=lambda backend: backend.__name__)
def cache_away(request: pytest.FixtureRequest, settings: Any) -> None:
    backend = f"{__name__}.{request.param.__name__}"
    settings.CACHES = {alias: {"BACKEND": backend} for alias in settings.CACHES}


def use(key: str, rate: str = "2/m", *, group: str = "g", fail_open: bool = True) -> None:
    limits.limit(REQUEST, group, key, rate, fail_open=fail_open)


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return limits.client_ip(RequestFactory().get("/", REMOTE_ADDR=peer, **headers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66,198.51.100.1 ,", "198.51.100.1"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("fd00::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "::ffff:203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.1"),
        ("", "198.51.100.1", "0.0.0.0"),
        ("nonsense", "198.51.100.1", "nonsense"),
    ],
)
def test_the_client_is_the_last_address_that_our_own_proxies_saw(
    settings: Any, peer: str, forwarded: str | None, expected: str
) -> None:
    """Trap 30: what stands further left is the client's own word."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "fd00::/8"]
    assert address(peer, forwarded) == expected


def test_with_no_trusted_proxy_nobody_forwards() -> None:
    assert address("10.0.0.1", "198.51.100.1") == "10.0.0.1"


def test_a_used_up_rate_says_how_long_to_wait() -> None:
    use("a")
    use("a")
    with pytest.raises(ServiceError) as refused:
        use("a")
    assert refused.value.code.status == 429
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    assert refused.value.sentence == f"Too many requests. Wait {refused.value.retry_after} seconds."


def test_another_client_and_another_group_have_a_rate_of_their_own() -> None:
    for _ in range(2):
        use("a")
    use("b")
    use("a", group="other")


def test_a_rate_is_whole_again_in_the_next_window(monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    for _ in range(2):
        use("a")
    monkeypatch.setattr("time.time", lambda: clock + 61)
    use("a")


def test_requests_of_one_address_count_across_tenants(alpha: Cast, beta: Cast, settings: Any) -> None:
    """Trap 25: with the tenant in the key it would never fire."""
    settings.REQUEST_RATE = "2/m"
    answers = [cast.client().get("/api/v1/collectors") for cast in (alpha, beta, alpha, beta)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert answers[2].json()["code"] == "RATE_001"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert alpha.client().get("/api/v1/collectors", REMOTE_ADDR="192.0.2.7").status_code == 401


def test_a_forged_forwarded_address_does_not_reset_the_limit(alpha: Cast, settings: Any) -> None:
    settings.REQUEST_RATE = "1/m"
    codes = [
        alpha.client().get("/api/v1/collectors", headers={"x-forwarded-for": f"192.0.2.{number}"}).status_code
        for number in range(3)
    ]
    assert codes == [401, 429, 429]


def test_uploads_are_limited_by_machine_and_not_across_tenants(alpha: Cast, beta: Cast, settings: Any) -> None:
    settings.UPLOAD_RATE = "1/m"
    body = samples.csv(samples.recent(), [1.0])
    codes = [
        cast.machine_client().post(UPLOAD, body, content_type="text/csv").status_code for cast in (alpha, alpha, beta)
    ]
    assert codes == [201, 429, 201]


def test_sign_in_is_limited_by_account_from_any_address(alpha: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "2/m"
    form = {"email": "admin@alpha.example", "password": "wrong"}
    codes = [alpha.client().post("/sign-in", form, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(3)]
    assert codes[-1] == 429
    assert 429 not in codes[:2]


@pytest.mark.usefixtures("cache_away")
def test_with_the_cache_away_ingest_goes_on(alpha: Cast) -> None:
    body = samples.csv(samples.recent(), [1.0])
    for expected in (201, 200):
        assert alpha.machine_client().post(UPLOAD, body, content_type="text/csv").status_code == expected
    assert samples.count(alpha) == 1


@pytest.mark.usefixtures("cache_away")
def test_with_the_cache_away_nobody_signs_in(alpha: Cast) -> None:
    client = alpha.client()
    answer = client.post("/sign-in", {"email": "admin@alpha.example", "password": PASSWORD})
    assert answer.status_code == 429
    assert answer["Retry-After"] == "30"
    assert "Sign-in is not possible right now" in answer.content.decode()
    assert "sessionid" not in client.cookies


@pytest.mark.usefixtures("cache_away")
def test_with_the_cache_away_no_answer_is_a_500(alpha: Cast) -> None:
    for path in ("/", "/sign-in", "/health", "/api/v1/status", "/api/v1/collectors", "/nothing"):
        assert alpha.client().get(path).status_code < 500, path
    assert Client(headers={"host": "nobody.localhost"}).get("/").status_code == 404


@pytest.mark.usefixtures("cache_away")
def test_with_the_cache_away_a_partner_can_be_suspended(alpha: Cast) -> None:
    alpha.partner.active = False
    try:
        alpha.partner.save(update_fields=["active"])
        assert alpha.client().get("/api/v1/collectors").status_code == 403
    finally:
        alpha.partner.active = True


def test_a_cache_that_is_away_is_a_line_in_the_log(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = {alias: {"BACKEND": f"{__name__}.AwayCache"} for alias in settings.CACHES}
    with caplog.at_level("WARNING", "perfanalysis.limits"):
        use("a")
        assert limits.shared_get("x") is None
        limits.shared_set("x", 1, 60)
    assert "the cache for limits is away: ConnectionError" in caplog.messages
    assert "the shared cache is away: ConnectionError" in caplog.messages
    assert "cache.example" not in caplog.text


def test_limits_and_hosts_are_kept_without_the_tenant_in_their_key() -> None:
    limits.shared_set("x", 1, 60)
    assert caches["shared"].get("x") == 1
    assert caches["default"].get("x") is None


@pytest.mark.parametrize(
    ("address", "network"), [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
)
def test_an_ipv6_client_is_limited_by_its_whole_network(address: str, network: str) -> None:
    assert limits.client_network(RequestFactory().get("/", REMOTE_ADDR=address)) == network


@pytest.fixture(params=[0, 1], ids=["in one statement", "by the library"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.cache._LEFT_TO_THE_LIBRARY", request.param)


@pytest.mark.usefixtures("way")
def test_adding_on_disk_keeps_what_is_there_and_replaces_what_expired(tmp_path: Path, clock: float) -> None:
    cache = DiskCache(str(tmp_path), {})
    assert cache.add("counter", 1, 60)
    assert not cache.add("counter", 5, 60)
    assert cache.get("counter") == 1
    cache.set("old", 1, -1)
    assert cache.add("old", 7, 60)
    assert cache.get("old") == 7
    assert cache.add("text", "x" * 100_000, 60)
    assert cache.get("text") == "x" * 100_000
    row = shard_of(cache, "counter")._sql("SELECT * FROM Cache WHERE key = ?", [cache.make_key("counter")]).fetchone()
    assert row[1:] == (cache.make_key("counter"), 1, clock, clock + 60, clock, 0, None, 0, 1, None, 1)


@pytest.mark.usefixtures("way")
def test_of_several_that_add_a_counter_one_does(tmp_path: Path) -> None:
    cache = DiskCache(str(tmp_path), {})
    added: list[int] = []
    threads = [
        Thread(target=lambda: added.extend(number for number in range(50) if cache.add(f"{number}", 1, 60)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == list(range(50))


def test_a_counter_that_was_counted_is_asked_for_no_more_until_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    cache = DiskCache(str(tmp_path), {})
    assert cache.add("counter", 1, 60)
    assert cache.incr("counter") == 2
    with monkeypatch.context() as patched:
        patched.setattr(cache, "_run", None)
        assert not cache.add("counter", 1, 60)
    monkeypatch.setattr("time.time", lambda: clock + 61)
    assert cache.add("counter", 1, 60)
    assert cache.incr("counter") == 2


def test_a_counter_that_made_room_for_others_starts_again(tmp_path: Path) -> None:
    cache = DiskCache(str(tmp_path), {})
    cache.add("counter", 1, 60)
    cache.incr("counter")
    cache.delete("counter")
    assert not cache.add("counter", 1, 60)
    assert cache.incr("counter") == 1
    assert cache.incr("counter") == 2


def test_expired_counters_are_removed_by_those_that_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    cache = DiskCache(str(tmp_path), {})
    for number in range(4000):
        monkeypatch.setattr("time.time", lambda: clock + number)  # noqa: B023
        cache.add(f"{number}", 1, 60)
    assert len(cache._cache) < 1000


def shard_of(cache: DiskCache, key: str) -> Any:
    made = cache.make_key(key)
    return cache._cache._shards[cache._cache._hash(made) % cache._cache._count]


def test_counting_on_disk_is_exact_and_starts_again_when_a_counter_expired(tmp_path: Path) -> None:
    cache = DiskCache(str(tmp_path), {})
    with pytest.raises(ValueError):
        cache.incr("counter")
    cache.set("counter", 1, 60)
    threads = [Thread(target=lambda: [cache.incr("counter") for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.incr("counter", 5) == cache.get("counter") == 406
    cache.set("old", 9, -1)
    with pytest.raises(ValueError):
        cache.incr("old")


def test_counting_on_disk_waits_for_a_writer(tmp_path: Path) -> None:
    cache = DiskCache(str(tmp_path), {})
    cache.set("counter", 1, 60)
    with shard_of(cache, "counter").transact():
        waiting = Thread(target=lambda: cache.incr("counter"))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(10)
    assert cache.get("counter") == 2
