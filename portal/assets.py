"""The chart library for pages: Vega, Vega-Lite and Vega-Embed as one script, taken from the vl-convert package.

It is written to DATA_DIR once per version of that package, so nothing is downloaded and nothing third-party is
kept in the repository.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert
from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

from reports.charts import VEGA_LITE

NAME = "portal/vega.js"
GLOBALS = "window.vegaEmbed = vegaEmbed;"


def build(folder: Path) -> Path:
    """The library's file below `folder`, written when it is not there; two writers at once do no harm."""
    path = folder / NAME
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(vl_convert.javascript_bundle(GLOBALS, VEGA_LITE))
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    return path


def folder() -> Path:
    """Where the library of this version lives."""
    return Path(settings.DATA_DIR) / "assets" / f"vl-convert-{version('vl-convert-python')}-{VEGA_LITE}"


class ChartLibraryFinder(BaseFinder):
    """Makes the library part of the static files."""

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = [str(build(folder()))] if path == NAME else []
        return found if find_all or not found else found[0]

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        build(folder())
        yield NAME, FileSystemStorage(location=str(folder()))
