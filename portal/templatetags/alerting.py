"""How alerts and their rules are written on a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone

from accounts import roles
from alerts import words
from alerts.models import Rule
from alerts.sending import phrases
from portal.context import Entry

register = template.Library()


TABS = (
    Entry("alerts", "Open", roles.SEE),
    Entry("alert-history", "History", roles.SEE),
    Entry("alert-rules", "Rules", roles.SEE),
    Entry("silences", "Silences", roles.SEE),
    Entry("alert-hygiene", "Hygiene", roles.SEE),
    Entry("channels", "Channels", roles.CHANNELS),
)
register.filter("how_bad", words.how_bad)
register.filter("working", words.working)
register.filter("where", phrases.where)
register.filter("span", words.span)


@register.inclusion_tag("alerts/tabs.html", takes_context=True)
def alert_tabs(context: template.Context) -> dict[str, Any]:
    request = context["request"]
    return {"tabs": TABS, "user": request.user, "here": request.resolver_match.url_name}


@register.filter
def may_channels(user: object) -> bool:
    return roles.CHANNELS.allows(user)


@register.filter
def in_words(rule: Rule) -> str:
    return words.of_rule(rule)


@register.simple_tag
def lasted(since: datetime, until: datetime | None) -> str:
    """Up to now for what is not over."""
    return words.span(max((until or timezone.now()) - since, timedelta(0)))


@register.filter
def shifted(moment: datetime, seconds: int) -> str:
    """An instant for an address, some seconds later or earlier."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@register.filter
def ordinal(number: int) -> str:
    """2nd, 3rd, 11th."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


@register.filter
def spaced(name: str) -> str:
    """A name of the code as words: agent_stopped, agent stopped."""
    return name.replace("_", " ")
