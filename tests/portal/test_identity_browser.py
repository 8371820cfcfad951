"""An identity provider in a real Chromium: set up by the Admin, used by a newcomer, linked by somebody who is here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, Visit, visit
from tests.portal.issuer import CLIENT, SECRET, Issuer, running_issuer
from tests.portal.test_passkeys_browser import sign_out

pytestmark = IN_CHROMIUM


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


def set_up(found: Visit, issuer: Issuer) -> None:
    page = found.page
    found.open("/manage/identity-provider")
    page.fill("#id_issuer", issuer.url)
    page.fill("#id_client_id", CLIENT)
    page.fill("#id_client_secret", SECRET)
    page.fill("#id_label", "Company")
    page.select_option("#id_newcomer_role", "viewer")
    page.fill("#id_newcomer_domains", "company.example")
    page.check("#id_is_active")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The provider was reached")).to_be_visible()


def test_the_way_to_the_provider_and_back(browser: Browser, portal: RunningPortal, issuer: Issuer) -> None:
    with visit(browser, portal, "beta", width=NARROW) as found:
        page = found.page
        found.sign_in("admin")
        set_up(found, issuer)
        assert (found.overflow(), found.serious()) == (0, [])
        found.open("/security")
        page.get_by_role("button", name="Link your account").click()
        page.get_by_role("link", name="Go on to Company").click()
        expect(page.get_by_text("It is linked")).to_be_visible()
        assert (found.overflow(), found.serious()) == (0, [])
        sign_out(found)

        page.get_by_role("link", name="Sign in with Company").click()
        page.wait_for_url("**/")
        expect(page.locator(".user .menu strong")).to_have_text("admin@beta.example")
        sign_out(found)

        issuer.person = {"sub": "u-2", "email": "new@company.example", "email_verified": True}
        page.get_by_role("link", name="Sign in with Company").click()
        page.wait_for_url("**/")
        expect(page.locator(".user .menu strong")).to_have_text("new@company.example")
        assert [one for one in found.complaints if issuer.url not in one] == []
