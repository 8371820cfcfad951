"""The people of a tenant: invited, given a role, switched off and on, given a new password. All of it is audited."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit, links, sessions
from accounts.models import Link, LinkKind, Role, User
from core.errors import ServiceError
from core.keys import Secret


def invite(email: str, role: Role, *, actor: str, ip: str | None) -> Secret:
    """A link with which that person makes an account; PEOPLE_002 when there is one of that e-mail."""
    email = email.strip().lower()
    if User.objects.filter(email=email).exists():
        raise ServiceError("PEOPLE_002", f"{email} has an account here already.")
    with transaction.atomic():
        secret = links.make(LinkKind.INVITATION, email, settings.INVITATION_HOURS, actor=actor, role=role)
        audit.record("user.invited", user=actor, ip=ip, of=email, role=str(role), link_id=secret.public_id)
    return secret


def withdraw(link: Link, *, actor: str, ip: str | None) -> None:
    with transaction.atomic():
        if Link.objects.live(timezone.now()).filter(pk=link.pk).update(revoked_at=timezone.now()):
            audit.record("invitation.withdrawn", user=actor, ip=ip, of=link.email, link_id=link.link_id)


def accept(link: Link, name: str, password: str, *, ip: str | None) -> User:
    """The new account of an invitation, which is used up."""
    try:
        with transaction.atomic():
            links.use(link)
            user = User.objects.create_user(link.email, password, role=link.role, name=name)
            audit.record("user.joined", user=user.email, ip=ip, role=link.role, invited_by=link.created_by)
    except (IntegrityError, ValidationError):
        raise ServiceError("PEOPLE_002", f"{link.email} has an account here already. Sign in.") from None
    return user


def offer_reset(user: User, *, actor: str, ip: str | None) -> Secret:
    """A link with which that person sets a new password. The old one works until then."""
    with transaction.atomic():
        secret = links.make(LinkKind.RESET, user.email, settings.RESET_HOURS, actor=actor)
        audit.record("password_reset.offered", user=actor, ip=ip, of=user.email, link_id=secret.public_id)
    return secret


def reset_password(link: Link, password: str, *, ip: str | None) -> User:
    """Set the password, use the link up, and end every session of the account."""
    with transaction.atomic():
        links.use(link)
        user = active(link.email)
        user.set_password(password)
        user.save(update_fields=["password"])
        sessions.end_all(user)
        audit.record("password_changed", user=user.email, ip=ip, by="link", link_id=link.link_id)
    return user


def active(email: str) -> User:
    """The active account; PEOPLE_003 when there is none any more."""
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        raise ServiceError("PEOPLE_003", "This account is not active. Ask an Admin.")
    return user


def change_role(user: User, role: Role, *, actor: str, ip: str | None) -> None:
    """From the next request on; PEOPLE_001 for the last active Admin."""
    with transaction.atomic():
        before = _locked(user)
        if before.role == role:
            return
        if role != Role.ADMIN:
            _keep_an_admin(before)
        User.objects.filter(pk=user.pk).update(role=role)
        audit.record("user.role_changed", user=actor, ip=ip, of=user.email, before=before.role, after=str(role))


def deactivate(user: User, *, actor: str, ip: str | None) -> None:
    """Sessions, tokens and links end at once, for good; PEOPLE_001 for the last active Admin."""
    now = timezone.now()
    with transaction.atomic():
        before = _locked(user)
        _keep_an_admin(before)
        User.objects.filter(pk=user.pk).update(is_active=False)
        sessions.end_all(user)
        user.tokens.filter(revoked_at__isnull=True).update(revoked_at=now)
        Link.objects.live(now).filter(email=user.email).update(revoked_at=now)
        audit.record("user.deactivated", user=actor, ip=ip, of=user.email)


def reactivate(user: User, *, actor: str, ip: str | None) -> None:
    """The account with its role and password; its tokens and sessions stay ended."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            audit.record("user.reactivated", user=actor, ip=ip, of=user.email)


def _locked(user: User) -> User:
    """The account as it is now. Locks every Admin, in one order: of two that demote each other one must wait."""
    list(User.objects.select_for_update().filter(role=Role.ADMIN).order_by("pk"))
    return User.objects.select_for_update().get(pk=user.pk)


def _keep_an_admin(user: User) -> None:
    others = User.objects.people().filter(role=Role.ADMIN, is_active=True).exclude(pk=user.pk)
    if user.role == Role.ADMIN and user.is_active and not others.exists():
        raise ServiceError("PEOPLE_001", f"{user.email} is the last active Admin. Make somebody else Admin first.")
