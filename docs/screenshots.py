"""The screenshots of README and docs, taken from a running demo: `python docs/screenshots.py [--data-dir .data]`.

Needs Chromium and `make demo` running in another terminal. Addresses and passwords come from `demo.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 1400
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
MACHINE = "db01"
COMPARED = "how=machines&machines=web01&machines=web02&machines=vps01&zone=UTC"


@dataclass(frozen=True)
class Shot:
    """One picture: file, address, height of the window, what must be drawn, what the pointer is over, and as whom."""

    name: str
    path: str
    height: int
    ready: str
    pointed: str = ""
    partner: str = "sample"
    role: str = "viewer"


SHOTS = (
    Shot("fleet", "/?sort=cpu", 900, ".machines .spark"),
    Shot("fleet-groups", "/?group=tag&sort=cpu", 900, ".machines .group"),
    Shot(
        "machine",
        f"/machines/{MACHINE}?range=7d",
        1240,
        "[data-panel=cores] canvas",
        "[data-panel=cpu-mode] .over",
    ),
    Shot("compare", f"/compare?{COMPARED}", 1180, "[data-chart] canvas", "[data-chart] .over"),
    Shot("alert-rules", "/alerts/rules", 900, ".alerts .severity", role="analyst"),
    Shot("add", "/add", 760, ".ways", role="admin"),
    Shot("settings", "/manage/settings", 760, "#id_time_zone", role="admin"),
    Shot("operator", "/operator", 480, ".partners", partner="operator", role="admin"),
    Shot("operator-partner", "/operator/partners/sample", 720, "#id_reason", partner="operator", role="admin"),
)


def sign_in(page: Page, url: str, user: dict[str, str]) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("#id_email", user["email"])
    page.fill("#id_password", user["password"])
    page.click("button[type=submit]")
    page.wait_for_url("**/")


def take(page: Page, url: str, shot: Shot, folder: Path) -> Path:
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    page.goto(url + shot.path)
    page.locator(shot.ready).first.wait_for()
    page.wait_for_timeout(1000)
    if shot.pointed:
        page.locator(shot.pointed).first.hover()
        page.wait_for_timeout(300)
    target = folder / f"{shot.name}.png"
    page.screenshot(path=target)
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".data", help="where demo.json is")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args(arguments)
    demo: dict[str, Any] = json.loads((options.data_dir / "demo.json").read_text())
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for (name, role), wanted in groupby(SHOTS, key=lambda shot: (shot.partner, shot.role)):
            partner = demo["partners"][name]
            page = browser.new_page(color_scheme="light")
            sign_in(page, partner["url"], partner["users"][role])
            for shot in wanted:
                take(page, partner["url"], shot, options.out)
        browser.close()


if __name__ == "__main__":
    main()
