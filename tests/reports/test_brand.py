"""The brand of a tenant on its reports: shown, readable, harmless, and the same bytes each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import vl_convert

from accounts import tenant_settings
from core.colours import contrast
from core.tenancy import schema_context
from reports import brand
from reports.__main__ import main
from reports.brand import Brand
from reports.jobs import duties, queue
from tests import samples
from tests.cast import Cast
from tests.reports import machines
from tests.reports.machines import WriteExport

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="30"><rect width="80" height="30" fill="#c00"/></svg>'
NAME = '<b>"Häagen" & Søns</b>'


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logo") / "logo.png"
    path.write_bytes(vl_convert.svg_to_png(SVG))
    return path


def make(write: WriteExport, folder: Path, *options: str, name: str = "r") -> tuple[str, bytes]:
    export = write({"web-01": machines.healthy(days=0.2, interval=600)})
    page, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
    assert main([str(export), "--html", str(page), "--pdf", str(pdf), *options]) == 0
    return page.read_text(), pdf.read_bytes()


def test_name_colour_and_logo_are_on_both_with_the_same_bytes(write: WriteExport, tmp_path: Path, logo: Path) -> None:
    options = (f"--brand-name={NAME}", "--brand-colour=#FFEE00", f"--logo={logo}")
    first, second = (make(write, tmp_path, *options, name=name) for name in ("a", "b"))
    assert first == second
    page, pdf = first
    assert "&lt;b&gt;&#34;Häagen&#34; &amp; Søns&lt;/b&gt;" in page
    assert 'src="data:image/png;base64,' in page
    assert "--stripe: #ffee00" in page
    assert pdf != make(write, tmp_path, name="plain")[1]


@pytest.mark.parametrize("colour", ["#ffee00", "#000000", "#ffffff", "#7f7f7f", "#0b4a75", "#ff0000", "#00ff88"])
def test_any_colour_is_readable_in_light_and_dark(colour: str) -> None:
    own = Brand("x", colour)
    assert all(contrast(own.light, ground) >= 4.5 for ground in brand.PANELS)
    assert all(contrast(own.dark, ground) >= 4.5 for ground in brand.DARK_PANELS)


@pytest.mark.parametrize(
    ("option", "words"),
    [("--brand-colour=red", "no colour"), ("--logo=/nowhere.png", "cannot be read"), ("--logo={text}", "is no logo")],
)
def test_what_is_no_brand_is_refused_with_a_sentence(
    write: WriteExport, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    text = tmp_path / "logo.txt"
    text.write_text("<svg>")
    export = write({"web-01": machines.healthy(days=0.1)})
    assert main([str(export), "--html", str(tmp_path / "x.html"), option.format(text=text)]) == 2
    assert words in capsys.readouterr().err


def test_a_report_of_the_portal_carries_the_brand_of_its_tenant(alpha: Cast, logo: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    moments = samples.minutes(now - timedelta(minutes=130), 120)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [20.0] * 120, "cpu_idle": [70.0] * 120})
    with schema_context(alpha.schema):
        tenant_settings.change(
            actor="x", ip=None, brand_name="--pdf=/tmp/x", brand_colour="#aa0000", brand_logo=logo.read_bytes()
        )
        order = queue.Order("--html=/tmp/y", (), now - timedelta(hours=3), now)
        report = queue.ask(order, actor="x", ip=None)
        duties.make_reports(alpha.partner, now, lambda: False)
        _, page = queue.read(report.public_id, "html", actor="x", ip=None)
        _, found = queue.read(report.public_id, "json", actor="x", ip=None)
    assert b"--pdf=/tmp/x" in page
    assert b"data:image/png;base64," in page
    assert json.loads(found)["title"] == "--html=/tmp/y"
