"""An OpenID provider on loopback, for tests: it signs real tokens, checks what others check, and lies when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "portal", "a client secret: with+signs"
PERSON = {"sub": "u-1", "email": "ann@company.example", "email_verified": True, "name": "Ann Other"}


@cache
def own_key() -> rsa.RSAPrivateKey:
    """Made once: it takes longer than all else here."""
    return new_key()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return {
        **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
        "kid": "1",
        "use": "sig",
        "alg": "RS256",
    }


@dataclass
class Issuer:
    """`person` is who signs in there; `lies` replace claims, None removes one; the key of a token may be another's."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: dict(PERSON))
    lies: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=own_key)
    signing_key: Any = None
    algorithm: str = "RS256"
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def discovery(self) -> dict[str, Any]:
        methods = ["client_secret_basic", "client_secret_post"]
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys",
                 "userinfo_endpoint": "/userinfo"}  # fmt: skip
        found = {"issuer": self.url, "token_endpoint_auth_methods_supported": methods}
        return found | {name: self.url + path for name, path in paths.items()} | self.document

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes, with a code of the person."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == CLIENT
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """None: refused."""
        scheme, _, pair = authorization.partition(" ")
        client, _, secret = base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        known = (unquote_plus(client), unquote_plus(secret)) == (CLIENT, SECRET)
        if not asked or not known or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return None
        if form["redirect_uri"] != asked["redirect_uri"]:
            return None
        return {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.person,
            **self.lies,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.signing_key or self.key, self.algorithm, headers={"kid": "1"})


class _Handler(BaseHTTPRequestHandler):
    @property
    def issuer(self) -> Issuer:
        found: Issuer = self.server.issuer  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.issuer.asked.append(url.path)
        if url.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.issuer.authorize(_flat(url.query)))
            self.end_headers()
            return
        answers = {"/.well-known/openid-configuration": self.issuer.discovery(), "/userinfo": self.issuer.userinfo,
                   "/keys": {"keys": [public(self.issuer.key)]}}  # fmt: skip
        self._answer(answers.get(url.path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(self.issuer.token(_flat(body), self.headers.get("Authorization", "")))

    def _answer(self, found: dict[str, Any] | None) -> None:
        self.send_response(200 if found is not None else 400)
        self.end_headers()
        self.wfile.write(json.dumps(found or {"error": "invalid_grant"}).encode())

    def log_message(self, *_: object) -> None:
        """Nothing: tests print what fails."""


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        issuer = Issuer(url=f"http://127.0.0.1:{server.server_port}")
        server.issuer = issuer  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
