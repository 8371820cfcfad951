"""A machine's charts in a real browser: pointing, zooming, gaps, cores, processes, notes, links and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.live.portal import RunningPortal
from tests.portal import live_samples
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, Scheme, Visit, visit
from tests.portal.live_samples import HOURS, MINUTE

pytestmark = IN_CHROMIUM
ALL = timedelta(hours=HOURS)


@pytest.fixture(scope="module")
def start(portal: RunningPortal) -> datetime:
    return live_samples.store(portal, "alpha")


def address(start: datetime, end: datetime | None = None) -> str:
    until = end or start + ALL
    return f"/machines/server1?from={start:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def opened(browser: Browser, portal: RunningPortal, start: datetime) -> Iterator[Visit]:
    """The six hours, as an Analyst."""
    with visit(browser, portal, "alpha") as found:
        found.sign_in("analyst")
        found.open(address(start))
        expect(plot(found)).to_be_visible()
        yield found
        assert found.complaints == []


def plot(found: Visit, panel: str = "cpu-busy") -> Locator:
    return found.page.locator(f"[data-panel={panel}] .over")


def place(found: Visit, share: float, panel: str = "cpu-busy") -> tuple[float, float]:
    """The pixel at a share of a chart's time axis."""
    plot(found, panel).scroll_into_view_if_needed()
    box = plot(found, panel).bounding_box()
    assert box
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def point(found: Visit, share: float, panel: str = "cpu-busy") -> None:
    found.page.mouse.move(*place(found, share, panel))


def brush(found: Visit, start: float, end: float) -> None:
    found.page.mouse.move(*place(found, start))
    found.page.mouse.down()
    found.page.mouse.move(*place(found, (start + end) / 2))
    found.page.mouse.move(*place(found, end))
    found.page.mouse.up()


def address_now(found: Visit) -> str:
    """Asked in the page: Playwright learns of a changed address a moment later."""
    return str(found.page.evaluate("window.location.href"))


def shown_period(found: Visit) -> tuple[datetime, datetime]:
    query = parse_qs(urlparse(address_now(found)).query)
    first, last = (datetime.fromisoformat(query[name][0]) for name in ("from", "to"))
    return first, last


def legend(found: Visit, panel: str, index: int = 0) -> Locator:
    return found.page.locator(f"[data-panel={panel}] .legend b").nth(index)


def test_pointing_at_one_chart_shows_the_values_of_all(opened: Visit) -> None:
    """Minute 45 of the first hour: CPU user is 45, and memory stands beside it."""
    point(opened, 45 / 360)
    expect(legend(opened, "cpu-busy")).to_have_text("45")
    expect(legend(opened, "cpu-mode")).to_have_text("45")
    for panel in ("cpu-busy", "cpu-mode", "load", "cores"):
        expect(opened.page.locator(f"[data-panel={panel}] .cross")).to_be_visible()
    expect(opened.page.locator(".tip")).to_contain_text("UTC")
    opened.page.mouse.move(5, 5)
    expect(opened.page.locator(".tip")).to_be_hidden()
    expect(opened.page.locator("[data-panel=cpu-mode] .cross")).to_be_hidden()


def test_a_drag_zooms_all_charts_and_back_returns(opened: Visit, start: datetime) -> None:
    brush(opened, 0.5, 0.75)
    first, last = shown_period(opened)
    assert abs(first - (start + ALL / 2)) < 2 * MINUTE
    assert abs(last - (start + ALL * 0.75)) < 2 * MINUTE
    expect(opened.page.locator("#coverage")).to_contain_text("No gaps")
    opened.page.go_back()
    expect(opened.page.locator("#coverage")).to_contain_text("1 gap")
    assert shown_period(opened) == (start, start + ALL)


def test_the_keyboard_points_selects_and_zooms(opened: Visit, start: datetime) -> None:
    strip = opened.page.locator("#timeline")
    strip.focus()
    opened.page.keyboard.press("Home")
    for _ in range(2):
        opened.page.keyboard.press("PageDown")
    for _ in range(3):
        opened.page.keyboard.press("Shift+PageDown")
    expect(strip).to_have_attribute("aria-valuetext", re.compile("selected"))
    opened.page.keyboard.press("Enter")
    first, last = shown_period(opened)
    assert abs(first - (start + ALL * 0.1)) < MINUTE
    assert abs(last - (start + ALL * 0.25)) < MINUTE
    opened.page.keyboard.press("Backspace")
    expect(opened.page.locator("#coverage")).to_contain_text("1 gap")


def test_buttons_move_and_zoom_too(opened: Visit, start: datetime) -> None:
    opened.page.click("#zoom-in")
    assert shown_period(opened) == (start + ALL / 4, start + ALL * 0.75)
    opened.page.click("#later")
    assert shown_period(opened) == (start + ALL / 2, start + ALL)
    opened.page.click("#zoom-out")
    assert shown_period(opened) == (start + ALL / 4, start + ALL * 1.25)


def test_a_gap_is_shaded_and_says_why(opened: Visit) -> None:
    expect(opened.page.locator("[data-panel=cpu-busy] .gap")).to_have_count(1)
    point(opened, 135 / 360)
    expect(opened.page.locator(".tip")).to_contain_text("No samples. Host down: the machine was rebooted")
    expect(legend(opened, "cpu-busy")).to_have_text("–")


def test_a_reboot_is_marked_by_itself(opened: Visit) -> None:
    expect(opened.page.locator("[data-panel=cpu-busy] .moment.reboot")).to_have_count(1)
    opened.page.locator("#notes summary").click()
    expect(opened.page.locator("#notes li.reboot")).to_contain_text("the machine was rebooted")


def test_the_busiest_core_is_told(opened: Visit) -> None:
    expect(opened.page.locator("[data-panel=cores] canvas")).to_be_visible()
    point(opened, 30 / 360, "cores")
    expect(opened.page.locator(".tip")).to_contain_text("core 2")
    expect(opened.page.locator(".tip")).to_contain_text("95 %")


def test_processes_follow_the_pointer_and_a_click_pins_them(opened: Visit, start: datetime) -> None:
    first = opened.page.locator("#processes tbody th").first
    point(opened, 60 / 360)
    expect(first).to_have_text("job-60")
    opened.page.mouse.move(*place(opened, 200 / 360))
    opened.page.mouse.click(*place(opened, 200 / 360))
    expect(first).to_have_text("job-200")
    opened.page.mouse.move(5, 5)
    expect(first).to_have_text("job-200")
    at = datetime.fromisoformat(parse_qs(urlparse(address_now(opened)).query)["at"][0])
    assert abs(at - (start + 200 * MINUTE)) < 2 * MINUTE
    opened.page.click("#unpin")
    expect(opened.page.locator("[data-panel=cpu-mode] .cross")).to_be_hidden()


def test_a_link_reopens_exactly_this_view(opened: Visit, browser: Browser, portal: RunningPortal) -> None:
    brush(opened, 0.6, 0.9)
    opened.page.locator("[data-panel=cpu-mode] .legend button").first.click()
    opened.page.locator("#section-memory > summary").click()
    opened.page.locator("#section-disks").scroll_into_view_if_needed()
    opened.page.locator("details[data-instance=sda] > summary").click()
    opened.page.mouse.click(*place(opened, 0.5))
    link = address_now(opened)
    with visit(browser, portal, "alpha") as other:
        other.sign_in("viewer")
        other.page.goto(link)
        expect(plot(other)).to_be_visible()
        assert shown_period(other) == shown_period(opened)
        expect(other.page.locator("[data-panel=cpu-mode] .legend button").first).to_have_attribute(
            "aria-pressed", "false"
        )
        expect(other.page.locator("#section-memory")).not_to_have_attribute("open", "")
        other.page.locator("#section-disks").scroll_into_view_if_needed()
        expect(other.page.locator("details[data-instance=sda]")).not_to_have_attribute("open", "")
        expect(other.page.locator("[data-panel=cpu-busy] .cross")).to_be_visible()
        assert other.complaints == []


def test_a_range_changes_without_a_reload(opened: Visit) -> None:
    opened.page.evaluate("window.stayed = true")
    opened.page.get_by_role("link", name="7d", exact=True).click()
    expect(opened.page.get_by_role("link", name="7d", exact=True)).to_have_attribute("aria-current", "true")
    assert "range=7d" in address_now(opened)
    assert opened.page.evaluate("window.stayed")


def test_csv_has_what_is_drawn(opened: Visit, tmp_path: Path, start: datetime) -> None:
    opened.page.locator("[data-panel=cpu-mode] .legend button").nth(1).click()
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="CPU by mode as CSV").click()
    path = tmp_path / "shown.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(path.open()))
    assert {row["series"] for row in rows} == {"user"}
    assert rows[45]["timestamp"] == f"{start + 45 * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    assert (rows[45]["machine_id"], rows[45]["unit"], rows[45]["mean"]) == ("server1", "%", "45")
    assert len(rows) == HOURS * 60 - 30


def test_an_analyst_adds_and_deletes_a_note(opened: Visit) -> None:
    opened.page.mouse.click(*place(opened, 0.5))
    opened.page.click("#make-note")
    opened.page.select_option("#note-kind", "deploy")
    opened.page.fill("#note-text", "web <b>2.4.1</b>")
    opened.page.get_by_role("button", name="Add", exact=True).click()
    expect(opened.page.locator("#note-dialog")).to_be_hidden()
    expect(opened.page.locator("[data-panel=cpu-busy] .moment.deploy")).to_have_count(1)
    opened.page.locator("#notes summary").click()
    expect(opened.page.locator("#notes li.deploy")).to_contain_text("web <b>2.4.1</b>")
    opened.page.on("dialog", lambda dialog: dialog.accept())
    opened.page.get_by_role("button", name="Delete the note").click()
    expect(opened.page.locator("[data-panel=cpu-busy] .moment.deploy")).to_have_count(0)


def test_a_refused_note_says_why_in_the_dialog(opened: Visit) -> None:
    opened.page.click("#make-note")
    opened.page.fill("#note-text", "x")
    opened.page.fill("#note-until", "2020-01-01T00:00")
    opened.page.get_by_role("button", name="Add", exact=True).click()
    expect(opened.page.locator("#note-dialog [role=alert]")).to_contain_text("until must not be before at")
    opened.complaints.clear()  # Chromium reports every answer of 400


def test_a_viewer_cannot_add_notes(browser: Browser, portal: RunningPortal, start: datetime) -> None:
    with visit(browser, portal, "alpha") as found:
        found.sign_in("viewer")
        found.open(address(start))
        expect(plot(found)).to_be_visible()
        expect(found.page.locator("#make-note")).to_have_count(0)
        assert found.complaints == []


def reveal(found: Visit) -> None:
    """Scroll to the filesystems, as a person does, until they stay in sight: what loads above pushes them down."""
    filling = found.page.locator(".filling")
    for _ in range(80):
        filling.scroll_into_view_if_needed()
        if "Reading" not in (filling.text_content() or ""):
            return
        found.page.wait_for_timeout(250)
    raise AssertionError("The filesystems did not appear.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_axe_finds_nothing_serious(
    width: int, scheme: Scheme, browser: Browser, portal: RunningPortal, start: datetime
) -> None:
    with visit(browser, portal, "alpha", width=width, scheme=scheme) as found:
        found.sign_in("analyst")
        found.open(address(start))
        expect(plot(found)).to_be_visible()
        found.page.click("#make-note")
        assert found.serious() == []
        found.page.keyboard.press("Escape")
        reveal(found)
        assert found.serious() == []
        assert found.overflow() <= 0
        assert found.complaints == []
