"""Pages of reports in a real browser: wide and narrow, light and dark, with nothing serious that axe finds."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, Scheme, visit

pytestmark = IN_CHROMIUM


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_reports_and_schedules_fit_and_are_accessible(
    width: int, scheme: Scheme, browser: Browser, portal: RunningPortal
) -> None:
    with visit(browser, portal, "alpha", width=width, scheme=scheme) as found:
        found.sign_in("analyst")
        found.open("/reports/schedules")
        found.page.fill("#id_title", f"Report {scheme}")
        found.page.get_by_role("button", name="Make the schedule").click()
        found.page.get_by_role("link", name=f"Report {scheme}").click()
        found.page.wait_for_url("**/reports/schedules/*")
        own = f"/reports/schedules/{found.page.url.rpartition('/')[2]}"
        for path in (own, "/reports/schedules", "/reports"):
            found.open(path)
            assert found.overflow() <= 0
            assert found.serious() == []
        assert found.complaints == []
