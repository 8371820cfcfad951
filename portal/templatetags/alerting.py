"""How alerts and their rules are written on a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone

from accounts import roles
from accounts.roles import Action
from alerts import words
from alerts.models import Rule
from alerts.sending import phrases

register = template.Library()


@dataclass(frozen=True)
class Tab:
    """One of the pages about alerts: name of its address, title, and the action that the page declares."""

    address: str
    title: str
    action: Action


TABS = (
    Tab("alerts", "Open", roles.SEE),
    Tab("alert-history", "History", roles.SEE),
    Tab("alert-rules", "Rules", roles.SEE),
    Tab("silences", "Silences", roles.SEE),
    Tab("alert-hygiene", "Hygiene", roles.SEE),
    Tab("channels", "Channels", roles.CHANNELS),
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
