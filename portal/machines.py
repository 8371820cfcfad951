"""Pages for Admins: register machines, set their tags, rotate their keys, retire them."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles
from collectors import registry
from collectors.keys import Secret
from collectors.models import Collector
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.forms import RegisterForm, TagsForm

PAGE_SIZE = 100


@page(roles.MACHINES)
def machines(request: PageRequest) -> HttpResponse:
    return _list(request, RegisterForm())


@page(roles.REGISTER, "POST")
def register(request: PageRequest) -> HttpResponse:
    """Answers with the key itself, because it is shown only once."""
    form = RegisterForm(request.POST)
    if not form.is_valid():
        return _list(request, form)
    asked = form.cleaned_data
    try:
        collector, secret = registry.register(
            asked["machine_id"], asked["hostname"], actor=request.user.email, ip=client_ip(request)
        )
    except ServiceError as error:
        form.add_error("machine_id", error.sentence)
        return _list(request, form)
    return _show_key(request, collector, secret, "Registered")


@page(roles.ROTATE, "POST")
def rotate_key(request: PageRequest, machine_id: str) -> HttpResponse:
    collector = registry.find(machine_id)
    secret = registry.rotate(collector, actor=request.user.email, ip=client_ip(request))
    return _show_key(request, collector, secret, "New key for")


@page(roles.MACHINES, "POST")
def retire(request: PageRequest, machine_id: str) -> HttpResponse:
    registry.retire(registry.find(machine_id), actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"{machine_id} is retired: its keys stopped, its samples stay.")
    return redirect("machines")


@page(roles.MACHINES, "POST")
def set_tags(request: PageRequest, machine_id: str) -> HttpResponse:
    collector = registry.find(machine_id)
    form = TagsForm(request.POST)
    if form.is_valid():
        registry.change(
            collector, actor=request.user.email, ip=client_ip(request), tags=form.cleaned_data["tags"]
        )  # fmt: skip
        messages.success(request, f"The tags of {machine_id} are changed.")
    else:
        messages.error(request, " ".join(map(str, form.errors["tags"])))
    return redirect("machines")


def _list(request: PageRequest, form: RegisterForm) -> HttpResponse:
    now, search = timezone.now(), request.GET.get("q", "").replace("\0", "")[:200]
    matching = Q(machine_id__icontains=search) | Q(hostname__icontains=search)
    chosen = Collector.objects.filter(matching).order_by("-active", "machine_id")
    found = Paginator(chosen, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [(collector, collector.state(now)) for collector in found]
    return render(request, "portal/machines.html", {"form": form, "rows": rows, "found": found, "search": search})


def _show_key(request: PageRequest, collector: Collector, secret: Secret, done: str) -> HttpResponse:
    portal = request.build_absolute_uri("/").rstrip("/")
    context = {"collector": collector, "key": str(secret), "done": done, "portal": portal}
    return render(request, "portal/machine_key.html", context)
