"""People of an identity provider: who they are here, linked and unlinked. E-mail alone links nobody."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit, factors, links
from accounts.models import Identity, IdentityProvider, Link, Role, User
from accounts.oidc import Person
from core.errors import ServiceError


def known(person: Person) -> User | None:
    """Who that is here; None for nobody yet. AUTH_007 when the account is switched off."""
    found = Identity.objects.select_related("user").filter(issuer=person.issuer, subject=person.subject).first()
    if found is None:
        return None
    if not found.user.is_active:
        raise ServiceError("AUTH_007", "This account is switched off. Ask an Admin.")
    Identity.objects.filter(pk=found.pk).update(last_used=timezone.now(), email=person.email)
    return found.user


def newcomer(person: Person, provider: IdentityProvider, *, ip: str | None) -> User:
    """A new account for somebody who comes without an invitation, where the Admin allows it."""
    role = provider.newcomer_role
    if not role:
        raise ServiceError("AUTH_007", "Nobody here is linked to you there. Ask an Admin to invite you.")
    if not person.email:
        raise ServiceError("AUTH_007", "The identity provider gave no verified e-mail address. Ask an Admin.")
    if person.email.rpartition("@")[2] not in provider.newcomer_domains.split(","):
        raise ServiceError("AUTH_007", f"Nobody comes in here with {person.email} alone. Ask an Admin to invite you.")
    if User.objects.filter(email=person.email).exists():
        raise ServiceError(
            "AUTH_007", f"{person.email} has an account here that is not linked. Sign in as before, then link it at "
            "Sign-in security.",
        )  # fmt: skip
    with transaction.atomic():
        user = User.objects.create_user(person.email, role=role, name=person.name)
        audit.record("user.joined", user=user.email, ip=ip, role=role, by="identity provider")
        link(user, person, ip=ip)
    return user


def join(invitation: Link, person: Person, *, ip: str | None) -> User:
    """The new account of an invitation, which is used up; its e-mail is the invitation's, not the provider's."""
    try:
        with transaction.atomic():
            links.use(invitation)
            user = User.objects.create_user(invitation.email, role=Role(invitation.role), name=person.name)
            audit.record(
                "user.joined", user=user.email, ip=ip, role=invitation.role, invited_by=invitation.created_by,
                by="identity provider",
            )  # fmt: skip
            link(user, person, ip=ip)
    except (IntegrityError, ValidationError):
        raise ServiceError("PEOPLE_002", f"{invitation.email} has an account here already. Sign in.") from None
    return user


def link(user: User, person: Person, *, ip: str | None) -> None:
    """That person there is this user from now on; AUTH_007 when they are somebody else here."""
    with transaction.atomic():
        now = timezone.now()
        found, made = Identity.objects.get_or_create(
            issuer=person.issuer,
            subject=person.subject,
            defaults={"user": user, "email": person.email, "last_used": now},
        )
        if found.user_id != user.pk:
            raise ServiceError("AUTH_007", "This account of the identity provider belongs to somebody else here.")
        if made:
            audit.record("identity.linked", user=user.email, ip=ip, issuer=person.issuer, subject=person.subject)
            factors.tell(user, "You can sign in with an identity provider from now on.")


def unlink(user: User, identity: Identity, *, ip: str | None) -> None:
    """AUTH_007 when there would be no way in any more."""
    with transaction.atomic():
        others = user.identities.exclude(pk=identity.pk).exists()
        if not (user.has_usable_password() or others or factors.of(user).passkeys):
            raise ServiceError("AUTH_007", "It is your only way in. Ask an Admin for a link to a password first.")
        if user.identities.filter(pk=identity.pk).delete()[0]:
            audit.record("identity.unlinked", user=user.email, ip=ip, issuer=identity.issuer, subject=identity.subject)
            factors.tell(user, "You do not sign in with an identity provider any more.")
