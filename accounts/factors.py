"""Second factors of a person: an authenticator app, passkeys, recovery codes. Mechanics and table are allauth's.

Everything that changes is audited and told to the person by mail; codes and secrets appear in neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone

from accounts import audit, mail, mfa, sessions
from accounts.models import TenantSettings, User
from core import sealed

SECOND = "second_factor"
"""In a session: it was opened with a second factor, or one was given in it."""
APP, PASSKEY, CODES = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES


@dataclass(frozen=True)
class Factors:
    """What a person has; `codes_left` is None without recovery codes."""

    app: Authenticator | None
    passkeys: list[Authenticator]
    codes_left: int | None

    def __bool__(self) -> bool:
        return self.app is not None or bool(self.passkeys)


def of(user: User) -> Factors:
    found = list(Authenticator.objects.filter(user_id=user.pk).order_by("created_at", "pk"))
    codes = next((one for one in found if one.type == CODES), None)
    return Factors(
        app=next((one for one in found if one.type == APP), None),
        passkeys=[one for one in found if one.type == PASSKEY],
        codes_left=_left(codes) if codes else None,
    )


def has_any(user: User) -> bool:
    """Whether sign-in asks for a second step; recovery codes alone are none."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=(APP, PASSKEY)).exists())


def holders() -> set[int]:
    """Ids of the people of this tenant who have one."""
    return set(Authenticator.objects.filter(type__in=(APP, PASSKEY)).values_list("user_id", flat=True))


def is_missing(session: SessionBase, settings: TenantSettings) -> bool:
    """Whether the tenant asks everybody for a second factor, and this session has none: it may only set one up."""
    return settings.require_mfa and not session.get(SECOND)


def fits(secret: str, code: str) -> bool:
    """Whether the app that was given the secret shows that code now."""
    return _counter(secret, code) is not None


def add_app(user: User, secret: str, *, ip: str | None) -> list[str]:
    """The person's app, in place of one from before; new recovery codes when there are none."""
    with transaction.atomic():
        _lock(user)
        Authenticator.objects.filter(user_id=user.pk, type=APP).delete()
        TOTP.activate(user, secret)
        return added(user, "an authenticator app", ip=ip, factor=str(APP))


def added(user: User, what: str, *, ip: str | None, factor: str) -> list[str]:
    """To be called in the transaction that adds one; the first recovery codes, if the person had none."""
    _lock(user)
    audit.record("factor.added", user=user.email, ip=ip, factor=factor)
    tell(user, f"You added {what} to your account.")
    if Authenticator.objects.filter(user_id=user.pk, type=CODES).exists():
        return []
    return _new_codes(user)


def make_codes(user: User, *, ip: str | None) -> list[str]:
    """New recovery codes, in clear for this once; the old ones stop."""
    with transaction.atomic():
        _lock(user)
        Authenticator.objects.filter(user_id=user.pk, type=CODES).delete()
        codes = _new_codes(user)
        audit.record("recovery_codes.made", user=user.email, ip=ip)
        tell(user, "You made new recovery codes. The old ones do not work any more.")
    return codes


def check_code(user: User, code: str, *, ip: str | None) -> str:
    """Which factor the code is of, used up with it; "" when it is of none."""
    if _check_app(user, code):
        return str(APP)
    return str(CODES) if _check_recovery(user, code, ip) else ""


def remove(user: User, factor: Authenticator, *, ip: str | None) -> None:
    """Recovery codes go with the last factor: they are a way around one."""
    with transaction.atomic():
        _lock(user)
        if not Authenticator.objects.filter(user_id=user.pk, pk=factor.pk).delete()[0]:
            return
        if not has_any(user):
            Authenticator.objects.filter(user_id=user.pk).delete()
        audit.record("factor.removed", user=user.email, ip=ip, factor=factor.type)
        tell(user, "You removed a second factor from your account.")


def reset(user: User, *, actor: str, ip: str | None) -> None:
    """Remove all of somebody else's, who lost them, and end the sessions that were opened with them."""
    with transaction.atomic():
        _lock(user)
        if not Authenticator.objects.filter(user_id=user.pk).delete()[0]:
            return
        sessions.end_all(user)
        audit.record("factors.reset", user=actor, ip=ip, of=user.email)
        tell(user, f"{actor or 'The operator'} removed the second factors of your account.")


def _counter(secret: str, code: str) -> int | None:
    """The 30 seconds of which the code is, or None."""
    for counter in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            return int(counter)
    return None


def _check_app(user: User, code: str) -> bool:
    """Each code works once, and none before it any more (RFC 6238, 5.2).

    allauth's own check forgets a used code after 30 seconds, which with a tolerance is too early, and asks a cache.
    """
    with transaction.atomic():
        app = Authenticator.objects.select_for_update().filter(user_id=user.pk, type=APP).first()
        counter = _counter(sealed.unseal(app.data["secret"], mfa.PURPOSE), code) if app else None
        if app is None or counter is None or counter <= app.data.get("last_counter", 0):
            return False
        app.data["last_counter"] = counter
        app.last_used_at = timezone.now()
        app.save(update_fields=["data", "last_used_at"])
    return True


def _check_recovery(user: User, code: str, ip: str | None) -> bool:
    with transaction.atomic():
        codes = Authenticator.objects.filter(user_id=user.pk, type=CODES).first()
        if codes is None or not RecoveryCodes(codes).validate_code(code):
            return False
        left = _left(Authenticator.objects.get(pk=codes.pk))
        audit.record("recovery_code.used", user=user.email, ip=ip, left=left)
        tell(user, f"A recovery code of your account was used; {left} are left.")
    return True


def _left(codes: Authenticator) -> int:
    """Counted, not read: pages need no secrets."""
    return int(app_settings.RECOVERY_CODE_COUNT - codes.data["used_mask"].bit_count())


def _new_codes(user: User) -> list[str]:
    return [f"{code[:5]}-{code[5:]}" for code in RecoveryCodes.activate(user).get_unused_codes()]


def _lock(user: User) -> None:
    """Of two changes of one person's factors at once the second waits."""
    User.objects.select_for_update().get(pk=user.pk)


def tell(user: User, sentence: str) -> None:
    """By mail, once the transaction is done: somebody else may have done it."""
    text = f"{sentence}\n\nIf you did not expect this, change your password and tell an Admin.\n"
    transaction.on_commit(lambda: mail.send_later(user.email, "Your sign-in was changed", text))
