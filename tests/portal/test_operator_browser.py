"""In a real browser: the operator enters a customer and leaves; a brand and a zone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.accounts.test_tenant_settings import picture
from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, visit

pytestmark = IN_CHROMIUM


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


def test_a_brand_and_a_zone_are_seen_on_the_next_page(browser: Browser, portal: RunningPortal, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(picture())
    with visit(browser, portal, "beta") as found:
        page = found.page
        found.sign_in("admin")
        found.open("/manage/settings")
        page.get_by_label("Name of the portal").fill("Acme Watch")
        page.get_by_label("Colour").fill("#c83c00")
        page.get_by_label("Logo", exact=True).set_input_files(logo)
        page.locator("form:has(#id_brand_name) button[type=submit]").click()
        expect(page.locator(".top .logo")).to_be_visible()
        assert page.locator(".top .logo").evaluate("(image) => image.naturalWidth") == 240
        accent = "getComputedStyle(document.querySelector('.button.primary')).backgroundColor"
        assert page.evaluate(accent) == "rgb(196, 59, 0)"  # a shade darker, to be read on our grounds
        page.get_by_label("Time zone").select_option("Asia/Kolkata")
        page.get_by_label("Pages show times in").select_option("partner")
        page.locator("form:has(#id_time_zone) button[type=submit]").click()
        found.open("/manage/audit")
        title = page.locator("time").first.get_attribute("title") or ""
        assert "GMT+5:30" in title
        assert "UTC" in title
        assert found.complaints == []
