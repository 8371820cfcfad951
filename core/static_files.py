"""Static files under names that carry their content's hash, also where one module of a page imports another."""

from __future__ import annotations

from typing import Any

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage

MODULES = "portal/charts/*.js"
"""Ours alone: third-party bundles have text that only looks like an import."""


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """So that after an upgrade no browser mixes new modules with cached old ones."""

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns: Any = (
        MODULES,
        HashedFilesMixin._js_module_import_aggregation_patterns[1],  # type: ignore[attr-defined]
    )
