#!/usr/bin/env python3
"""Runs a management command; with no DATABASE_URL, on the embedded PostgreSQL, which stops with the command."""

import os
import sys
from contextlib import nullcontext


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from core import embedded

    with nullcontext() if settings.DATABASE_URL else embedded.running(settings.DATA_DIR):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
