"""A row of the fleet, as its columns write it."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.fleet_columns import Column, Row

register = template.Library()


@register.simple_tag
def cells(columns: Sequence[Column], row: Row) -> SafeString:
    """The first column names the row; a label is for where the table is a list of cards."""
    first, *others = columns
    head = format_html('<th scope="row" class="{}">{}</th>', first.key, first.cell(row))
    return head + format_html_join("", "{}", ((_cell(column, row),) for column in others))


def _cell(column: Column, row: Row) -> SafeString:
    if not column.labelled:
        return format_html('<td class="{}-cell">{}</td>', column.key, column.cell(row))
    return format_html('<td class="{}" data-label="{}">{}</td>', column.key, column.title, column.cell(row))
