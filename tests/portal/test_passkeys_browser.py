"""Passkeys and the second step in a real Chromium, with an authenticator that DevTools makes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, expect

from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, Visit, visit

pytestmark = IN_CHROMIUM
PHONE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def guest(browser: Browser, portal: RunningPortal) -> Iterator[Visit]:
    """A phone's width, with a device for passkeys."""
    with visit(browser, portal, "beta", width=NARROW) as found:
        devtools = found.page.context.new_cdp_session(found.page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": PHONE})
        yield found


def sign_out(found: Visit) -> None:
    found.page.click(".user > summary")
    found.page.get_by_role("button", name="Sign out").click()
    found.page.wait_for_url("**/sign-in")


def password_step(found: Visit, role: str) -> None:
    found.open("/sign-in")
    found.page.fill("#id_email", f"{role}@{found.partner}.example")
    found.page.fill("#id_password", found.portal.password)
    found.page.get_by_role("button", name="Sign in", exact=True).click()
    found.page.wait_for_url("**/sign-in/factor")


def test_a_passkey_is_made_and_signs_in_as_second_step_and_alone(guest: Visit) -> None:
    page = guest.page
    guest.sign_in("viewer")
    guest.open("/security")
    page.fill("#id_name", "my phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as a file").click()
    codes = re.findall(r"^\d{5}-\d{5}$", saved.value.path().read_text(), re.MULTILINE)
    assert len(codes) == 10
    assert (guest.overflow(), guest.serious()) == (0, [])
    sign_out(guest)

    password_step(guest, "viewer")
    assert (guest.overflow(), guest.serious()) == (0, [])
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/")
    sign_out(guest)

    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/")
    expect(page.locator(".user .menu strong")).to_have_text("viewer@beta.example")
    sign_out(guest)

    password_step(guest, "viewer")
    page.fill("#id_code", codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    guest.open("/security")
    expect(page.get_by_text("9 left")).to_be_visible()
    page.get_by_text("Remove… my phone").click()
    page.get_by_role("button", name="Remove my phone").click()
    expect(page.get_by_text("It is removed.")).to_be_visible()
    assert guest.complaints == []


def test_an_app_is_set_up_and_asked_for(guest: Visit) -> None:
    page = guest.page
    guest.sign_in("analyst")
    guest.open("/security/app")
    page.get_by_text("Cannot scan it?").click()
    secret = (page.locator(".paste code").text_content() or "").replace(" ", "")
    assert (guest.overflow(), guest.serious()) == (0, [])
    now = int(time.time()) // 30
    page.fill("#id_code", format_hotp_value(hotp_value(secret, now - 1)))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    sign_out(guest)
    password_step(guest, "analyst")
    page.fill("#id_code", format_hotp_value(hotp_value(secret, now)))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    assert guest.complaints == []


def test_a_browser_that_has_no_passkey_is_told_so(guest: Visit) -> None:
    guest.open("/sign-in")
    guest.page.get_by_role("button", name="Sign in with a passkey").click()
    expect(guest.page.locator("form[data-passkey] .problem")).to_contain_text("No passkey was given")
