"""Registering machines, and making, rotating and revoking their keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts import audit
from collectors import keys
from collectors.models import Collector, CollectorKey, EnrolmentToken, clean_tags, is_machine_id
from core.errors import ServiceError
from core.tenancy import ask

_LIVE_KEY = """
    SELECT held.digest, machine.id, machine.machine_id FROM collectors_collectorkey held
    JOIN collectors_collector machine ON machine.id = held.collector_id
    WHERE held.key_id = %s AND held.revoked_at IS NULL AND (held.expires_at IS NULL OR held.expires_at > %s)
      AND machine.active
"""


def authenticate(secret: keys.Secret) -> Collector | None:
    """The machine of a live key, or None: unknown, revoked and expired keys look and cost the same.

    Plain SQL, because every upload asks; of the machine only id and machine_id are loaded.
    """
    digest, *machine = ask(_LIVE_KEY, [secret.public_id, timezone.now()]) or (None,)
    if not secret.matches(digest) or not machine:
        return None
    return Collector.from_db(connection.alias, ("id", "machine_id"), machine)


def find(machine_id: str) -> Collector:
    """The tenant's machine of that id; COLLECTOR_001 when there is none."""
    collector = Collector.objects.filter(machine_id=machine_id).first() if is_machine_id(machine_id) else None
    if collector is None:
        raise ServiceError("COLLECTOR_001", f"There is no machine {machine_id[:128]!r} here.")
    return collector


def register(machine_id: str, hostname: str, *, actor: str, ip: str | None) -> tuple[Collector, keys.Secret]:
    """A new machine and its first key; COLLECTOR_002 for a bad name, COLLECTOR_003 when it is registered already.

    A retired machine is taken back into service, with its samples and a new key.
    """
    collector = Collector(machine_id=machine_id, hostname=hostname, ip_address=ip)
    try:
        collector.full_clean(validate_unique=False)
        ProhibitNullCharactersValidator()(hostname)
    except ValidationError as error:
        raise ServiceError("COLLECTOR_002", " ".join(error.messages)) from None
    try:
        with transaction.atomic():
            collector = _take_back(machine_id, hostname) or collector
            collector.save()
            secret = _add_key(collector)
            audit.record("collector.registered", user=actor, machine_id=machine_id, ip=ip)
    except IntegrityError:
        raise ServiceError("COLLECTOR_003", f"{machine_id} is registered already; rotate its key instead.") from None
    return collector, secret


def _take_back(machine_id: str, hostname: str) -> Collector | None:
    retired = Collector.objects.select_for_update().filter(machine_id=machine_id, active=False).first()
    if retired:
        retired.active, retired.hostname = True, hostname or retired.hostname
    return retired


def register_with_token(
    token: keys.Secret, machine_id: str, hostname: str, *, ip: str | None
) -> tuple[Collector, keys.Secret]:
    """As `register`, using up one use of the token; AUTH_001 when it is unknown, expired, revoked or used up."""
    with transaction.atomic():
        if not _use(token):
            raise ServiceError("AUTH_001", "The token is not valid.")
        return register(machine_id, hostname, actor=f"enrolment:{token.public_id}", ip=ip)


def _use(token: keys.Secret) -> bool:
    found = EnrolmentToken.objects.filter(token_id=token.public_id).first()
    if not token.matches(found.digest if found else None) or found is None:
        return False
    usable = EnrolmentToken.objects.filter(
        pk=found.pk, uses_left__gt=0, revoked_at__isnull=True, expires_at__gt=timezone.now()
    )
    return usable.update(uses_left=F("uses_left") - 1) == 1


def rotate(collector: Collector, *, actor: str, ip: str | None, asked_with: str = "") -> keys.Secret:
    """A new key; one of the old ones works for KEY_OVERLAP_HOURS more, any other stops now.

    The one that stays is `asked_with`, the id of the key that the machine itself asked with, so that lost answers
    cannot lock it out; the newest, when a person asked.

    COLLECTOR_002 for a retired machine.
    """
    now = timezone.now()
    overlap_ends = now + timedelta(hours=settings.KEY_OVERLAP_HOURS)
    with transaction.atomic():
        if not Collector.objects.select_for_update().get(pk=collector.pk).active:
            raise ServiceError("COLLECTOR_002", f"{collector.machine_id} is retired; register it again.")
        live = list(CollectorKey.objects.live(now).filter(collector=collector).order_by("-created_at", "-id"))
        if live:
            kept = next((key for key in live if key.key_id == asked_with), live[0])
            ends = min(kept.expires_at or overlap_ends, overlap_ends)
            CollectorKey.objects.filter(pk=kept.pk).update(expires_at=ends)
            CollectorKey.objects.filter(pk__in=[key.pk for key in live if key.pk != kept.pk]).update(revoked_at=now)
        secret = _add_key(collector)
        audit.record("key.rotated", user=actor, machine_id=collector.machine_id, ip=ip)
    return secret


def change(collector: Collector, *, actor: str, ip: str | None, **wanted: Any) -> None:
    """Set tags or hostname; ValidationError for tags that are none. No event when nothing differs."""
    if "tags" in wanted:
        wanted["tags"] = clean_tags(wanted["tags"])
    changed = {name: value for name, value in wanted.items() if getattr(collector, name) != value}
    if changed:
        with transaction.atomic():
            Collector.objects.filter(pk=collector.pk).update(**changed)
            told: dict[str, Any] = {
                name: ", ".join(value) if name == "tags" else value for name, value in changed.items()
            }
            audit.record("collector.changed", user=actor, machine_id=collector.machine_id, ip=ip, **told)


def retire(collector: Collector, *, actor: str, ip: str | None) -> None:
    """Revoke every key at once and refuse uploads; the samples stay."""
    with transaction.atomic():
        collector.keys.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
        Collector.objects.filter(pk=collector.pk).update(active=False)
        audit.record("collector.retired", user=actor, machine_id=collector.machine_id, ip=ip)


def _add_key(collector: Collector) -> keys.Secret:
    secret = keys.generate(keys.MACHINE)
    CollectorKey.objects.create(collector=collector, key_id=secret.public_id, digest=secret.digest)
    return secret


def make_enrolment_token(*, actor: str, hours: int = 24, uses: int = 1, ip: str | None = None) -> keys.Secret:
    """A token that registers up to `uses` machines within `hours`."""
    secret = keys.generate(keys.ENROLMENT)
    with transaction.atomic():
        EnrolmentToken.objects.create(
            token_id=secret.public_id, digest=secret.digest, created_by=actor, uses_left=uses,
            expires_at=timezone.now() + timedelta(hours=hours),
        )  # fmt: skip
        audit.record("enrolment_token.made", user=actor, ip=ip, token_id=secret.public_id, hours=hours, uses=uses)
    return secret


def revoke_enrolment_token(token: EnrolmentToken, *, actor: str, ip: str | None) -> None:
    with transaction.atomic():
        EnrolmentToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
        audit.record("enrolment_token.revoked", user=actor, ip=ip, token_id=token.token_id)
