#!/usr/bin/env python3
"""Runs a management command; with no DATABASE_URL, on the embedded PostgreSQL, which stops with the command."""

import os
import sys
from contextlib import nullcontext


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from core import embedded

    try:
        with nullcontext() if settings.DATABASE_URL else embedded.running(settings.DATA_DIR):
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, embedded.EmbeddedDatabaseError) as error:
        sys.exit(f"perfanalysis: {error}")


if __name__ == "__main__":
    main()
