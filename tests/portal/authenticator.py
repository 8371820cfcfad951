"""A passkey device in software, for tests without a browser: it answers what the portal asks, as Chromium would."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.utils import websafe_decode, websafe_encode

P256_ES256 = {1: 2, 3: -7, -1: 1}  # RFC 9053: an elliptic curve key, for ES256, on P-256
PRESENT, VERIFIED, NEW = 0x01, 0x04, 0x40


def _cose(key: ec.EllipticCurvePublicKey) -> dict[int, int | bytes]:
    point = key.public_numbers()
    return {**P256_ES256, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


@dataclass
class Device:
    """One credential; `origin` is what the browser says about the page, `flags` what the device did."""

    origin: str
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user_handle: str = ""

    def create(self, options: dict[str, Any]) -> str:
        """The answer to navigator.credentials.create."""
        asked = options["publicKey"]
        self.user_handle = asked["user"]["id"]
        public = cbor.encode(_cose(self.key.public_key()))
        credential = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(asked["rp"]["id"], NEW) + credential}
        response = {
            "clientDataJSON": websafe_encode(self._client_data("webauthn.create", asked["challenge"])),
            "attestationObject": websafe_encode(cbor.encode(attestation)),
        }
        return self._answer(response)

    def get(self, options: dict[str, Any]) -> str:
        """The answer to navigator.credentials.get."""
        asked = options["publicKey"]
        told, data = self._client_data("webauthn.get", asked["challenge"]), self._data(asked["rpId"], 0)
        signature = self.key.sign(data + hashlib.sha256(told).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": websafe_encode(told), "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature), "userHandle": self.user_handle,
        }  # fmt: skip
        return self._answer(response)

    def _answer(self, response: dict[str, str]) -> str:
        name = websafe_encode(self.credential_id)
        extensions = {"clientExtensionResults": {"credProps": {"rk": True}}}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response, **extensions})

    def _client_data(self, kind: str, challenge: str) -> bytes:
        assert websafe_decode(challenge)
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, rp_id: str, more: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([self.flags | more]) + bytes(4)
