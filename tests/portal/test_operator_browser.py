"""In a real browser: the operator enters a customer's portal by a link, and leaves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.live.portal import RunningPortal
from tests.portal.browsing import CHROMIUM, NARROW, WIDE, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt install chromium"),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_operator_enters_a_customer_by_a_link_and_leaves(
    width: int, browser: Browser, portal: RunningPortal
) -> None:
    with visit(browser, portal, "operator", width=width) as found:
        page = found.page
        found.sign_in("admin")
        found.open("/operator")
        page.get_by_role("link", name="Beta").click()
        page.get_by_label("Reason").fill("Ticket 12")
        page.get_by_role("button", name="Make a way in").click()
        page.get_by_role("link", name="Go to beta.localhost").click()
        expect(page.get_by_role("heading")).to_have_text("Enter Beta")
        page.get_by_role("button", name="Enter").click()
        banner = page.get_by_role("note")
        expect(banner).to_contain_text("You are inside Beta as its operator, read only.")
        expect(page.locator("#machine-server1")).to_be_visible()
        assert found.overflow() <= 0
        banner.get_by_role("button", name="Leave").click()
        expect(page).to_have_url(f"{portal.url('beta')}/sign-in")
        assert [text for text in found.complaints if "asked another host" not in text] == []
