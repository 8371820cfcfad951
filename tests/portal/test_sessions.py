"""Where one is signed in, and signing out there."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import sessions
from accounts.models import Role, Session
from portal.browsers import browser_name
from tests.cast import PASSWORD, Cast

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


def signed_in(cast: Cast, browser: str, address: str = "192.0.2.1") -> Client:
    client = cast.client()
    fields = {"email": "viewer@alpha.example", "password": PASSWORD}
    client.post("/sign-in", fields, headers={"user-agent": browser}, REMOTE_ADDR=address)
    return client


def ids(cast: Cast, role: Role = Role.VIEWER) -> list[str]:
    with schema_context(cast.schema):
        return [session.public_id for session in sessions.of(cast.user(role))]


def test_the_page_says_when_from_where_and_with_what(alpha: Cast) -> None:
    client = signed_in(alpha, FIREFOX, "192.0.2.7")
    text = client.get("/sessions").content.decode()
    assert "Firefox on Linux" in text
    assert "192.0.2.7" in text
    assert "this one" in text
    assert "<time datetime=" in text


def test_it_shows_no_session_key_and_nobody_elses(alpha: Cast) -> None:
    client = signed_in(alpha, FIREFOX)
    signed_in_admin = alpha.client(Role.ADMIN)
    text = client.get("/sessions").content.decode()
    assert client.cookies[settings.SESSION_COOKIE_NAME].value not in text
    assert signed_in_admin.cookies[settings.SESSION_COOKIE_NAME].value not in text
    assert text.count("<tr>") == 2


def test_a_hostile_browser_is_text(alpha: Cast) -> None:
    """Trap 40."""
    client = signed_in(alpha, "<script>alert(1)</script>" + "x" * 5000)
    assert "<script>alert" not in client.get("/sessions").content.decode()


def test_the_origin_survives_later_requests(alpha: Cast) -> None:
    client = signed_in(alpha, FIREFOX, "192.0.2.7")
    client.get("/", REMOTE_ADDR="198.51.100.1")
    with schema_context(alpha.schema):
        session = Session.objects.get()
    assert (session.ip, session.browser) == ("192.0.2.7", FIREFOX)


def test_ending_another_session_signs_that_browser_out(alpha: Cast) -> None:
    lost, here = signed_in(alpha, IPHONE), signed_in(alpha, FIREFOX)
    newest, oldest = ids(alpha)
    assert here.post(f"/sessions/{oldest}/end").status_code == 302
    assert lost.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert ids(alpha) == [newest]


def test_nobody_ends_somebody_elses_session(alpha: Cast) -> None:
    theirs = alpha.client(Role.ADMIN)
    assert signed_in(alpha, FIREFOX).post(f"/sessions/{ids(alpha, Role.ADMIN)[0]}/end").status_code == 404
    assert theirs.get("/").status_code == 200


def test_signing_out_everywhere_is_everywhere(alpha: Cast) -> None:
    browsers = [signed_in(alpha, FIREFOX), signed_in(alpha, IPHONE)]
    other = alpha.client(Role.ADMIN)
    assert browsers[0].post("/sessions/end-all")["Location"] == "/sign-in"
    assert [browser.get("/").status_code for browser in browsers] == [302, 302]
    assert other.get("/").status_code == 200


def test_a_changed_password_leaves_this_session_alone(alpha: Cast) -> None:
    signed_in(alpha, IPHONE)
    here = signed_in(alpha, FIREFOX)
    fresh = "a much better horse 7"
    here.post("/password", {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh})
    assert len(ids(alpha)) == 1
    assert here.get("/sessions").status_code == 200


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), (IPHONE, "Safari on iPhone"),
        ("curl/8.5.0", "curl"), ("", "unknown"), ("x" * 100, "x" * 40),
    ],
)  # fmt: skip
def test_a_browser_is_named_in_a_few_words(header: str, name: str) -> None:
    assert browser_name(header) == name


def test_the_worker_clears_expired_sessions_only(alpha: Cast) -> None:
    gone, here = signed_in(alpha, IPHONE), signed_in(alpha, FIREFOX)
    with schema_context(alpha.schema):
        oldest = sessions.of(alpha.user(Role.VIEWER)).reverse()[0]
        Session.objects.filter(pk=oldest.pk).update(expire_date=timezone.now())
        assert sessions.clear(timezone.now()) == 1
    assert gone.get("/").status_code == 302
    assert here.get("/").status_code == 200
