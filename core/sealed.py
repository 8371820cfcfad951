"""Secrets of other services in the database, encrypted: addresses of channels, clients of sign-in providers, seeds.

The key comes from SECRET_KEY, the schema's name and the purpose, so that what is copied to another tenant or column
does not open (trap 26). After SECRET_KEY changed, what was sealed before opens as long as the old one is in
SECRET_KEY_FALLBACKS.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from core.tenancy import current_schema


class SealBrokenError(Exception):
    """It was sealed under another SECRET_KEY, for another tenant or purpose, or was changed."""


def seal(text: str, purpose: str) -> str:
    """For the current tenant."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    """SealBrokenError when it does not open here."""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBrokenError(f"A secret for {purpose} does not open with this SECRET_KEY.") from None


def _box(purpose: str) -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_key(secret, current_schema(), purpose)) for secret in secrets])


def _key(secret: str, schema: str, purpose: str) -> bytes:
    """HKDF (RFC 5869); both names are length-prefixed, so that no two pairs make the same key."""
    info = b"".join(len(name.encode()).to_bytes(4, "big") + name.encode() for name in (schema, purpose))
    derived = HKDF(algorithm=SHA256(), length=32, salt=b"perfanalysis.sealed", info=info).derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
