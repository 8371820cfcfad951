"""Passkeys: registered, recognised, named. The ceremony is allauth's and fido2's; its state is in the session.

They need allauth's request context (its middleware). What a browser sends is refused as one sentence, whatever it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from fido2.webauthn import CollectedClientData

from accounts import factors
from accounts.models import User

MOST = 20
LONGEST = 65_536


class RefusedError(Exception):
    """The browser's answer is not from a passkey of this account, for this host, to the question just asked."""


def ask_new(user: User) -> dict[str, Any]:
    """What the browser needs to make one; it asks the person for a PIN, finger or face."""
    return dict(auth.begin_registration(user, passwordless=True))


def ask(user: User | None) -> dict[str, Any]:
    """What the browser needs to use one; of whichever person when there is none yet."""
    return dict(auth.begin_authentication(user))


def add(request: HttpRequest, user: User, name: str, answer: str, *, ip: str | None) -> list[str]:
    """Keep the passkey that the browser made; recovery codes as `factors.added` gives them."""
    with _refusing():
        credential = _parse(request, answer)
        auth.complete_registration(credential)
    with transaction.atomic():
        if Authenticator.objects.filter(user_id=user.pk, type=factors.PASSKEY).count() >= MOST:
            raise RefusedError(f"An account has {MOST} passkeys at most. Remove one first.")
        auth.WebAuthn.add(user, name, credential)
        return factors.added(user, "a passkey", ip=ip, factor=str(factors.PASSKEY))


def owner(answer: str) -> User:
    """Whom the passkey says it belongs to: a claim, which `check` verifies."""
    with _refusing():
        user: User = auth.extract_user_from_response(json.loads(answer))
        return user


def check(request: HttpRequest, user: User, answer: str) -> None:
    """RefusedError unless it is the answer of a passkey of the account to the question of this session."""
    with _refusing():
        auth.complete_authentication(user, _parse(request, answer)).record_usage()


def rename(passkey: Authenticator, name: str) -> None:
    passkey.wrap().name = name
    passkey.save(update_fields=["data"])


def _parse(request: HttpRequest, answer: str) -> dict[str, Any]:
    """The answer, given at exactly this origin: fido2 would also take one of a host below it, another tenant's."""
    if len(answer) > LONGEST:
        raise ValueError
    credential: dict[str, Any] = json.loads(answer)
    told = CollectedClientData(auth.websafe_decode(credential["response"]["clientDataJSON"]))
    if told.origin != f"{request.scheme}://{request.get_host()}":
        raise ValueError
    return credential


@contextmanager
def _refusing() -> Iterator[None]:
    """Parsing what a browser sent fails in many ways, all of which mean the same."""
    try:
        yield
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise RefusedError("This passkey was not accepted. Try again, or use another way.") from error
