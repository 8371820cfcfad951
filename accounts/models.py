"""People, their tokens, sessions and links, and the audit log: one set of them in each tenant's schema."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    """What a person may do; each role may do all that the ones after it may."""

    ADMIN = "admin", "Admin"
    ANALYST = "analyst", "Analyst"
    VIEWER = "viewer", "Viewer"

    def reaches(self, least: Role | None) -> bool:
        """Whether it is `least` or a higher one; None is out of reach of every role."""
        return least is not None and _RANK[self] >= _RANK[least]


_RANK = {Role.VIEWER: 0, Role.ANALYST: 1, Role.ADMIN: 2}


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, role: str = Role.VIEWER, **fields: Any) -> User:
        """A user with a hashed password; the e-mail is the sign-in name, compared in lower case."""
        user = self.model(email=email.strip().lower(), role=role, **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def people(self) -> models.QuerySet[User]:
        """Those of the tenant itself, without the operator's visitors."""
        return self.filter(is_visitor=False)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person of one tenant; or a visitor: somebody of the platform's operator, who has a role only during a Visit.

    A visitor's e-mail is `operator:` and the one at the operator's host, which nobody can type: it cannot sign in.
    """

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)
    is_visitor = models.BooleanField(default=False)
    active_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("email",)

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)

    def has_role(self, least: Role) -> bool:
        """Whether this user's role is `least` or a higher one."""
        in_time = self.active_until is None or timezone.now() < self.active_until
        return self.is_active and in_time and Role(self.role).reaches(least)


class Scope(models.TextChoices):
    """What a personal token may do of what its user may."""

    READ = "read", "Read only"
    ADMIN = "admin", "All that your role may"


class PersonalToken(models.Model):
    """Lets a program act as its user, with the user's role at that moment, capped by the scope."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.READ)
    token_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.user_id}/{self.token_id}"

    def state(self, now: datetime) -> str:
        """live, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "live" if now < self.expires_at else "expired"


class Session(AbstractBaseSession):
    """A browser that is signed in; what it says of itself is kept so that its user recognises it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    since = models.DateTimeField(null=True)
    ip = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=200, blank=True)

    @property
    def public_id(self) -> str:
        """Names the session on a page, where its key must not be."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:16]


class LinkKind(models.TextChoices):
    INVITATION = "invitation", "Invitation"
    RESET = "reset", "Password reset"


class LinkQuerySet(models.QuerySet["Link"]):
    def live(self, now: datetime) -> LinkQuerySet:
        return self.filter(used_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now)


class Link(models.Model):
    """Works once until it expires: an invitation of `email` as `role`, or a new password for `email`."""

    kind = models.CharField(max_length=10, choices=LinkKind.choices)
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices, blank=True)
    link_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = LinkQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.kind}/{self.link_id}"


class Visit(models.Model):
    """The operator inside this tenant: granted with a reason, begun by a one-time link, ended by time or a person."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visits")
    role = models.CharField(max_length=10, choices=Role.choices)
    reason = models.CharField(max_length=300)
    minutes = models.PositiveIntegerField()
    link_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    granted_at = models.DateTimeField(default=timezone.now)
    link_expires_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ("-granted_at", "-id")

    def __str__(self) -> str:
        return f"{self.user_id}/{self.link_id}"

    @property
    def access(self) -> str:
        return "read only" if self.role == Role.VIEWER else f"as {Role(self.role).label}"


class ShowTimes(models.TextChoices):
    READER = "reader", "Each reader's own zone, as the browser tells it"
    PARTNER = "partner", "The time zone above, for everybody"


class TenantSettings(models.Model):
    """What an Admin may set for this tenant: the one row with id 1, made by migration. Read it by `tenant_settings`.

    time_zone: IANA name, for schedules and for times on pages when `show_times` says so; stored times are UTC.
    brand_colour: #rrggbb or empty. brand_logo: PNG, as `logos.clean` writes it, or empty.
    """

    time_zone = models.CharField(max_length=64, default="UTC")
    show_times = models.CharField(max_length=10, choices=ShowTimes.choices, default=ShowTimes.READER)
    brand_name = models.CharField(max_length=60, blank=True)
    brand_colour = models.CharField(max_length=7, blank=True)
    brand_logo = models.BinaryField(blank=True, default=bytes)
    brand_logo_digest = models.CharField(max_length=16, blank=True)
    brand_logo_width = models.PositiveSmallIntegerField(default=0)
    brand_logo_height = models.PositiveSmallIntegerField(default=0)
    require_mfa = models.BooleanField(default=False)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="tenant_settings_is_one_row"),)

    def __str__(self) -> str:
        return "settings"


class IdentityProvider(models.Model):
    """Where people may sign in instead (OpenID Connect): the one row with id 1, once an Admin fills it in.

    newcomer_role: what somebody becomes who comes from there without an invitation; empty: they are refused.
    newcomer_domains: of their verified e-mail addresses, comma-separated; at a public provider anybody has an account.
    two_steps: whether signing in there counts as a second factor.
    """

    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    sealed_secret = models.TextField(blank=True)
    label = models.CharField(max_length=60)
    is_active = models.BooleanField(default=False)
    newcomer_role = models.CharField(max_length=10, choices=Role.choices, blank=True)
    newcomer_domains = models.CharField(max_length=500, blank=True)
    two_steps = models.BooleanField(default=False)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="identity_provider_is_one_row"),)

    def __str__(self) -> str:
        return self.issuer


class Identity(models.Model):
    """Somebody at an identity provider, who is this user: by issuer and subject. The e-mail is what it said last."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("issuer", "subject"), name="one_user_for_each_identity"),)

    def __str__(self) -> str:
        return f"{self.user_id}/{self.issuer}"


class AuditEvent(models.Model):
    """Who did what. Rows are only ever added: the database refuses update and delete (migration 0002)."""

    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    event = models.CharField(max_length=40)
    user = models.CharField(max_length=254, blank=True)
    machine_id = models.CharField(max_length=128, blank=True)
    records = models.PositiveIntegerField(null=True, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    status = models.CharField(max_length=20, default="success")
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-timestamp", "-id")

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.event}"


class AuditSeal(models.Model):
    """A link of the hash chain over the audit log: SHA-256 of the link before it and of the event. Only ever added."""

    event_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.event_id} {self.digest[:12]}"


class AuditWaiting(models.Model):
    """An event that is not sealed yet; a trigger of the database enters it (migration 0006)."""

    event_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return str(self.event_id)
