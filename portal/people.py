"""Pages for Admins: who has an account, as what; invitations and links to a new password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts import factors, mail, roles
from accounts import people as write
from accounts.models import Link, LinkKind, Role, User
from core.errors import ServiceError
from core.keys import Secret
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.confirming import confirmed

MOST_SHOWN = 1000


class InviteForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


@dataclass(frozen=True)
class Offer:
    """A link that was just made, in clear for this once; `mailed` says whether its receiver has it already."""

    title: str
    email: str
    url: str
    hours: int
    mailed: bool


@page(roles.PEOPLE)
def people(request: PageRequest) -> HttpResponse:
    return _show(request, InviteForm())


@page(roles.PEOPLE, "POST")
def invite(request: PageRequest) -> HttpResponse:
    """Answers with the link itself, because it is shown only once."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    email = form.cleaned_data["email"].lower()
    try:
        secret = write.invite(
            email, Role(form.cleaned_data["role"]), actor=request.user.email, ip=client_ip(request)
        )  # fmt: skip
    except ServiceError as error:
        form.add_error("email", error.sentence)
        return _show(request, form)
    url = request.build_absolute_uri(reverse("invitation", args=[str(secret)]))
    return _show(request, InviteForm(), _offer(request, "Invitation", email, url, settings.INVITATION_HOURS))


@page(roles.PEOPLE, "POST")
def offer_reset(request: PageRequest, user_id: int) -> HttpResponse:
    user = _find(user_id)
    secret = write.offer_reset(user, actor=request.user.email, ip=client_ip(request))
    return _show(request, InviteForm(), _offer(request, "New password", user.email, reset_url(request, secret),
                                               settings.RESET_HOURS))  # fmt: skip


@page(roles.PEOPLE, "POST")
def change_role(request: PageRequest, user_id: int) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise ServiceError("REQUEST_003", "There is no such role.")
    user, role = _find(user_id), Role(form.cleaned_data["role"])
    done = f"{user.email} is {role.label} from the next request on."
    return _do(
        request, lambda: write.change_role(user, role, actor=request.user.email, ip=client_ip(request)), done
    )  # fmt: skip


@page(roles.PEOPLE, "POST")
def deactivate(request: PageRequest, user_id: int) -> HttpResponse:
    user = _find(user_id)
    done = f"{user.email} is deactivated: signed out everywhere, and the API tokens are revoked."
    return _do(request, lambda: write.deactivate(user, actor=request.user.email, ip=client_ip(request)), done)


@page(roles.PEOPLE, "POST")
def reactivate(request: PageRequest, user_id: int) -> HttpResponse:
    user = _find(user_id)
    done = f"{user.email} is {Role(user.role).label} again, with the password of before."
    return _do(request, lambda: write.reactivate(user, actor=request.user.email, ip=client_ip(request)), done)


@page(roles.PEOPLE, "POST")
@confirmed("people")
def reset_factors(request: PageRequest, user_id: int) -> HttpResponse:
    """Of somebody who lost them: the password, or another way in, is enough until they set up new ones."""
    user = _find(user_id)
    if user.pk == request.user.pk:
        raise ServiceError("REQUEST_003", "Remove your own second factors at Sign-in security, where you confirm it.")
    done = f"{user.email} has no second factor any more, and is signed out everywhere."
    return _do(request, lambda: factors.reset(user, actor=request.user.email, ip=client_ip(request)), done)


@page(roles.PEOPLE, "POST")
def withdraw(request: PageRequest, link_id: str) -> HttpResponse:
    link = Link.objects.filter(kind=LinkKind.INVITATION, link_id=link_id).first()
    if link is None:
        raise ServiceError("REQUEST_001", "There is no such invitation here.")
    write.withdraw(link, actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"The invitation of {link.email} does not work any more.")
    return redirect("people")


def reset_url(request: PageRequest, secret: Secret) -> str:
    return request.build_absolute_uri(reverse("new-password", args=[str(secret)]))


def mail_text(request: PageRequest, title: str, url: str, hours: int) -> tuple[str, str]:
    """Subject and text."""
    return link_text(request.tenant.name, request.get_host(), title, url, hours)


def link_text(partner: str, host: str, title: str, url: str, hours: int) -> tuple[str, str]:
    name = " ".join(partner.split())
    text = f"{title} for {name} at {host}:\n\n{url}\n\nThe link works once, for {hours} hours.\n"
    return f"{title}: {name}", text + "If you did not expect it, do nothing: nothing changes.\n"


def _offer(request: PageRequest, title: str, email: str, url: str, hours: int) -> Offer:
    return Offer(title, email, url, hours, mail.send(email, *mail_text(request, title, url, hours)))


def _find(user_id: int) -> User:
    user = User.objects.people().filter(pk=user_id).first()
    if user is None:
        raise ServiceError("REQUEST_001", "There is no such account here.")
    return user


def _do(request: PageRequest, change: Callable[[], None], done: str) -> HttpResponse:
    try:
        change()
        messages.success(request, done)
    except ServiceError as error:
        messages.error(request, error.sentence)
    return redirect("people")


def _show(request: PageRequest, form: InviteForm, offer: Offer | None = None) -> HttpResponse:
    invitations = Link.objects.live(timezone.now()).filter(kind=LinkKind.INVITATION)
    context = {
        "form": form, "offer": offer, "people": User.objects.people().order_by("-is_active", "email")[:MOST_SHOWN],
        "roles": Role, "invitations": invitations, "sends_mail": settings.SENDS_MAIL,
        "holders": factors.holders(),
    }  # fmt: skip
    return render(request, "portal/people.html", context)
