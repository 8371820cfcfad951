"""The report's page in Chromium: values at the pointer, zoom, hidden lines; and whole without script."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, sync_playwright

from reports import build, drawing, html, table
from reports.wording import Clock
from tests.reports import machines

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    export, page = folder / "export.csv", folder / "report.html"
    export.write_text(machines.to_csv({"web-01": machines.healthy(days=2, interval=300)}))
    document = build.build(table.read([export]), Clock(ZoneInfo("UTC")))
    page.write_text(html.render(document, drawing.draw(document)))
    return page


@pytest.fixture
def opened(report: Path) -> Iterator[Page]:
    """The report's page; ends with an error when the page itself had one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(5_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(report.as_uri())
        yield page
        browser.close()
        assert errors == []


def test_the_pointer_shows_values_dragging_zooms_all_and_a_name_hides_its_line(opened: Page) -> None:
    chart = opened.locator("figure:has(bdi:text-is('Disk throughput')) svg[data-plot]").first
    chart.scroll_into_view_if_needed()
    box = chart.locator(".catcher").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    opened.mouse.move(box["x"] + box["width"] / 2, middle)
    said = opened.locator(".tip").inner_text()
    assert said.startswith(("2026-01-05 23:5", "2026-01-06 00:0"))
    assert "Disk read: " in said
    assert "MB/s" in said
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
    opened.mouse.up()
    assert opened.locator("g.own").count() == opened.locator("svg[data-plot]").count()
    opened.keyboard.press("Escape")
    assert opened.locator("g.own").count() == 0
    chart.locator(".key").first.click()
    assert not chart.locator("path.line").first.is_visible()
    assert chart.locator("path.line").nth(1).is_visible()
