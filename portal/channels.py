"""Pages for Admins: the channels that alerts are told by; made, tested, changed, switched off and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.forms.models import model_to_dict
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import roles
from alerts.models import Severity
from alerts.sending import channels as store
from alerts.sending import trial
from alerts.sending.kinds import GROUPS
from alerts.sending.models import Channel, ChannelKind, Delivery
from core.errors import ServiceError
from core.limits import client_ip, limit
from portal.access import PageRequest, page

MOST_DELIVERIES = 30


@dataclass(frozen=True)
class Help:
    """What the form of a kind says. examples: addresses and what each is of."""

    label: str
    about: str
    examples: tuple[tuple[str, str], ...]


HELP = {
    ChannelKind.MAIL: Help(
        "To",
        "Mail with a chart, through the mail server of this portal. Mail addresses, or a group, separated by commas.",
        (
            *((group, f"all active people, {role.label} at least") for group, role in GROUPS.items()),
            ("ops@example.com, oncall@example.com", "these two"),
        ),
    ),
    ChannelKind.APPRISE: Help(
        "Address",
        "Slack, Teams, Telegram, PagerDuty and a hundred others, by an address in the form of apprise.",
        (
            ("slack://TokenA/TokenB/TokenC/#ops", "Slack, by an incoming webhook"),
            ("workflows://host/workflow/signature", "Microsoft Teams, by a workflow"),
            ("tgram://bottoken/ChatID", "Telegram"),
            ("discord://WebhookID/WebhookToken", "Discord"),
            ("pagerduty://IntegrationKey@ApiKey", "PagerDuty"),
            ("opsgenie://APIKey", "Opsgenie"),
            ("ntfys://topic", "ntfy"),
            ("pover://user@token", "Pushover"),
            ("mailtos://user:password@example.com", "Mail through a server of your own"),
        ),
    ),
    ChannelKind.WEBHOOK: Help(
        "Address",
        "A signed JSON body, posted to your own program. It is signed as Standard Webhooks says.",
        (("https://hooks.example.com/perfanalysis", "public, with a certificate that is valid"),),
    ),
}


class ChannelForm(forms.Form):
    """address: empty keeps the one that there is, of a channel that is changed."""

    name = forms.CharField(label="Name", max_length=80, help_text="As people will call it: On-call, #ops.")
    address = forms.CharField(
        label="Address", max_length=2000, widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"})
    )
    least_severity = forms.ChoiceField(
        label="Tells", initial=Severity.WARNING,
        choices=[
            (Severity.INFO, "everything"), (Severity.WARNING, "warnings and worse"),
            (Severity.CRITICAL, "only critical"),
        ],
    )  # fmt: skip
    escalations_only = forms.BooleanField(
        label="Only what nobody acknowledged in time",
        required=False,
        help_text="For a second line: it hears of an alert when the rule escalates it, and when that is over.",
    )
    quiet_from = forms.TimeField(label="Quiet from", required=False, widget=forms.TimeInput({"type": "time"}))
    quiet_until = forms.TimeField(
        label="until", required=False, widget=forms.TimeInput({"type": "time"}),
        help_text="In the time zone of Settings. What is not critical waits, and is dropped if it is over by then.",
    )  # fmt: skip

    def __init__(self, kind: ChannelKind, data: QueryDict | None = None, *, channel: Channel | None = None) -> None:
        fields = ("name", "least_severity", "escalations_only", "quiet_from", "quiet_until")
        super().__init__(data, initial=model_to_dict(channel, fields) if channel else None)
        self.kind, self.help = kind, HELP[kind]
        self.fields["address"].label = self.help.label
        if channel:
            self.fields["address"].required = False
            self.fields["address"].help_text = "Leave it empty to keep the one that it has, which is not shown."


@page(roles.CHANNELS)
def channels(request: PageRequest) -> HttpResponse:
    return _list(request, ChannelForm(_kind(request.GET)))


@page(roles.CHANNELS, "POST")
def make(request: PageRequest) -> HttpResponse:
    """A webhook answers with its secret, because it is shown only once."""
    form = ChannelForm(_kind(request.POST), request.POST)
    if not form.is_valid():
        return _list(request, form)
    try:
        made = store.create(kind=form.kind, actor=request.user.email, ip=client_ip(request), **form.cleaned_data)
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _list(request, form)
    if made.secret:
        return _list(request, ChannelForm(ChannelKind.WEBHOOK), made.secret, made.channel)
    messages.success(request, f"The channel {made.channel.name} is made. Send a test to see whether it works.")
    return redirect("channels")


@page(roles.CHANNELS, "GET", "HEAD", "POST")
def channel(request: PageRequest, channel_id: str) -> HttpResponse:
    found = store.find(channel_id)
    kind = ChannelKind(found.kind)
    if request.method != "POST":
        return _one(request, found, ChannelForm(kind, channel=found))
    form = ChannelForm(kind, request.POST, channel=found)
    if not form.is_valid():
        return _one(request, found, form)
    wanted = {name: value for name, value in form.cleaned_data.items() if name != "address" or value}
    try:
        store.change(found, actor=request.user.email, ip=client_ip(request), **wanted)
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _one(request, store.find(channel_id), form)
    messages.success(request, f"The channel {found.name} is changed.")
    return redirect("channels")


@page(roles.CHANNELS, "POST")
def test(request: PageRequest, channel_id: str) -> HttpResponse:
    found = store.find(channel_id)
    limit(request, "channel-tests", request.tenant.schema_name, trial.RATE, fail_open=False)
    link = request.build_absolute_uri(reverse("channels"))
    outcome = trial.send(found, request.tenant.name, link, actor=request.user.email, ip=client_ip(request))
    if outcome.sent:
        messages.success(request, f"{found.name} took the test. {outcome.reason}".strip())
    else:
        messages.error(request, f"{found.name} did not take the test. {outcome.reason}")
    return redirect("channels")


@page(roles.CHANNELS, "POST")
def switch(request: PageRequest, channel_id: str) -> HttpResponse:
    found = store.find(channel_id)
    store.change(found, actor=request.user.email, ip=client_ip(request), enabled=not found.enabled)
    state = "on again" if found.enabled else "off; what waited for it is dropped"
    messages.success(request, f"The channel {found.name} is {state}.")
    return redirect("channels")


@page(roles.CHANNELS, "POST")
def renew_secret(request: PageRequest, channel_id: str) -> HttpResponse:
    found = store.find(channel_id)
    secret = store.new_secret(found, actor=request.user.email, ip=client_ip(request))
    return _list(request, ChannelForm(ChannelKind.WEBHOOK), secret, found)


@page(roles.CHANNELS, "POST")
def delete(request: PageRequest, channel_id: str) -> HttpResponse:
    found = store.find(channel_id)
    store.delete(found, actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"The channel {found.name} is deleted.")
    return redirect("channels")


def _kind(query: QueryDict) -> ChannelKind:
    kind = query.get("kind", "")
    return ChannelKind(kind) if kind in ChannelKind.values else ChannelKind.MAIL


def _list(request: PageRequest, form: ChannelForm, secret: str = "", owner: Channel | None = None) -> HttpResponse:
    context: dict[str, Any] = {
        "channels": list(Channel.objects.all()), "form": form, "kinds": ChannelKind, "secret": secret, "owner": owner,
        "sends_mail": settings.SENDS_MAIL,
    }  # fmt: skip
    return render(request, "portal/channels.html", context)


def _one(request: PageRequest, found: Channel, form: ChannelForm) -> HttpResponse:
    newest = Delivery.objects.filter(channel=found).select_related("message").order_by("-id")
    context = {"channel": found, "form": form, "deliveries": list(newest[:MOST_DELIVERIES])}
    return render(request, "portal/channel.html", context)
