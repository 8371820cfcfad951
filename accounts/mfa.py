"""How allauth's second factors fit this portal: secrets sealed per tenant, names that people know."""

from __future__ import annotations

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter

from core import sealed

PURPOSE = "second factor"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """The rest of it is allauth's: the passkeys of a tenant belong to its own host name."""

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def encrypt(self, text: str) -> str:
        return sealed.seal(text, PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return sealed.unseal(encrypted_text, PURPOSE)

    def _get_site_name(self) -> str:
        """On the list of an authenticator app; a colon would end the issuer there."""
        return str(context.request.tenant.name).replace(":", " ")
