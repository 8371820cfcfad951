"""OpenID Connect, the code flow with PKCE: asking a provider where it is, sending people there, checking who came back.

OpenID Connect Core 1.0, Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). Requests go through
`core.outgoing`: to public addresses only, bounded in time and size (trap 41). ServiceError AUTH_007 for what is not
accepted, AUTH_008 when the provider cannot be asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import jwt
import requests
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from core import outgoing
from core.errors import ServiceError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by the provider's private key; none, and none by a shared secret."""
LEEWAY_SECONDS = 60
DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid profile email"


@dataclass(frozen=True)
class Client:
    """This tenant at its provider."""

    issuer: str
    client_id: str
    secret: str
    redirect_uri: str


@dataclass(frozen=True)
class Endpoints:
    """Of a provider, from its discovery document."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    secret_in_body: bool


@dataclass(frozen=True)
class Journey:
    """What this browser was sent with, and must come back with: once, and soon."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Person:
    """Who came back: the subject is theirs for ever at that issuer; the e-mail only when the provider verified it."""

    issuer: str
    subject: str
    email: str
    name: str


def new_journey() -> Journey:
    return Journey(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


def discover(issuer: str) -> Endpoints:
    """Where the provider is to be asked; it must call itself exactly as the Admin does."""
    found = _get_json(issuer.rstrip("/") + DISCOVERY)
    if found.get("issuer") != issuer:
        raise _refused("The provider calls itself by another issuer than the one that is set here.")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not all(_is_address(found.get(name), issuer) for name in names):
        raise _refused("The provider's discovery document lacks an address, or has one without https.")
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Endpoints(
        authorization=found["authorization_endpoint"], token=found["token_endpoint"], keys=found["jwks_uri"],
        userinfo=found["userinfo_endpoint"] if _is_address(found.get("userinfo_endpoint"), issuer) else "",
        secret_in_body="client_secret_basic" not in methods,
    )  # fmt: skip


def authorization_url(endpoints: Endpoints, client: Client, journey: Journey) -> str:
    """Where the browser goes."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(journey.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": client.client_id, "redirect_uri": client.redirect_uri, "scope": SCOPE,
        "state": journey.state, "nonce": journey.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    glue = "&" if urlsplit(endpoints.authorization).query else "?"
    return f"{endpoints.authorization}{glue}{urlencode(asked)}"


def fetch_person(endpoints: Endpoints, client: Client, journey: Journey, code: str) -> Person:
    """Who it is that the provider gave that code for."""
    tokens = _exchange(endpoints, client, journey, code)
    claims = verify(str(tokens.get("id_token", "")), _get_json(endpoints.keys), client, journey.nonce)
    if "email" not in claims and endpoints.userinfo:
        claims = _with_userinfo(claims, endpoints.userinfo, str(tokens.get("access_token", "")))
    email = _plain(claims.get("email")).lower() if claims.get("email_verified") is True else ""
    return Person(client.issuer, claims["sub"], email if _is_email(email) else "", _plain(claims.get("name"))[:120])


def verify(token: str, keys: Mapping[str, Any], client: Client, nonce: str) -> dict[str, Any]:
    """The claims of an ID token, checked as Core 3.1.3.7 says, the signature always."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _key_of(token, keys), ALGORITHMS, audience=client.client_id, issuer=client.issuer,
            leeway=LEEWAY_SECONDS, options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
        )  # fmt: skip
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _refused(f"The provider's ID token is not accepted ({type(error).__name__}).") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client.client_id) != client.client_id:
        raise _refused("The provider's ID token is for another application.")
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise _refused("The provider's ID token answers another question (nonce).")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255 or "\0" in claims["sub"]:
        raise _refused("The provider's ID token names nobody (sub).")
    return claims


def _key_of(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    """The one that the token names; the only one when it names none."""
    name = jwt.get_unverified_header(token).get("kid")
    usable = [key for key in jwt.PyJWKSet.from_dict(dict(keys)).keys if key.public_key_use != "enc"]
    named = [key for key in usable if key.key_id == name] if name is not None else usable
    if len(named) != 1:
        raise KeyError("kid")
    return named[0]


def _exchange(endpoints: Endpoints, client: Client, journey: Journey, code: str) -> dict[str, Any]:
    asked = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri,
        "code_verifier": journey.verifier,
    }  # fmt: skip
    header = {}
    if client.secret and not endpoints.secret_in_body:
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"  # RFC 6749, 2.3.1
        header = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    else:
        asked |= {"client_id": client.client_id} | ({"client_secret": client.secret} if client.secret else {})
    return _json(lambda session: session.post(endpoints.token, data=asked, headers=header))


def _with_userinfo(claims: dict[str, Any], address: str, access_token: str) -> dict[str, Any]:
    """The claims and what the provider says besides, of the same subject only (Core 5.3.2)."""
    header = {"Authorization": f"Bearer {access_token}"}
    more = _json(lambda session: session.get(address, headers=header))
    if more.get("sub") != claims["sub"]:
        raise _refused("The provider's answers are about two people.")
    return {**more, **claims}


def _get_json(address: str) -> dict[str, Any]:
    return _json(lambda session: session.get(address))


def _json(ask: Any) -> dict[str, Any]:
    """An answer of 200 with a JSON object; nothing of any other is repeated (trap 41)."""
    try:
        answer: requests.Response = ask(outgoing.session())
    except requests.RequestException as error:
        raise ServiceError("AUTH_008", f"The identity provider cannot be asked: {outgoing.reason(error)}") from error
    try:
        found = json.loads(answer.content) if answer.status_code == requests.codes.ok else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServiceError("AUTH_008", f"The identity provider answered {answer.status_code} where JSON was expected.")
    return found


def _is_address(text: object, issuer: str) -> bool:
    """https, or as the issuer itself is."""
    if not isinstance(text, str):
        return False
    url = urlsplit(text)
    return url.scheme in {"https", urlsplit(issuer).scheme} and bool(url.hostname)


def _plain(text: object) -> str:
    return " ".join(text.replace("\0", "").split()) if isinstance(text, str) else ""


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


def _refused(sentence: str) -> ServiceError:
    return ServiceError("AUTH_007", sentence)
