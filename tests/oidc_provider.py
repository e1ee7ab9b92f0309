"""An OpenID provider on loopback that keeps the contract, and breaks it where a test says so.

Strict where a provider has to be: a code is good once, for the client, the redirect address and
the PKCE challenge that it was given for (OpenID Connect Core 1.0, RFC 6749, RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers import serve

CLIENT = "photogate & co"
#: With what has to be quoted in a header (RFC 6749, 2.3.1).
CLIENT_SECRET = "s3cret: of+the client%"


def new_key() -> rsa.RSAPrivateKey:
    """Make a key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


FIRST_KEY = new_key()


@dataclass
class Provider:
    """What it does, and what it saw."""

    issuer: str = ""
    #: None: public clients, known by PKCE alone.
    client_secret: str | None = CLIENT_SECRET
    redirects: set[str] = field(default_factory=set)
    #: Of the account that signs in.
    account: dict[str, Any] = field(
        default_factory=lambda: {"sub": "248289761001", "name": "Ada", "groups": ["moderators"]}
    )
    #: Over what is right in the ID token; None leaves a claim out.
    claims: dict[str, Any] = field(default_factory=dict)
    #: Over what is right in the discovery document.
    said: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"k1": FIRST_KEY})
    #: Which one signs, and how.
    signs: str = "k1"
    algorithm: str = "RS256"
    #: Path -> what it answers in place of what it should.
    faults: dict[str, Response] = field(default_factory=dict)
    #: What the authorization endpoint answers in place of a code.
    refuses: str | None = None
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        """Give its routes."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/agreed", self._agreed),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    def code(self, query: dict[str, str]) -> str:
        """Make a code as for somebody who signed in after this request."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return code

    def _fault(self, request: Request) -> Response | None:
        self.asked.append(request.url.path)
        return self.faults.get(request.url.path)

    async def _discovery(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return self._fault(request) or JSONResponse(document | self.said)

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        if fault := self._fault(request):
            return fault
        if query["client_id"] != CLIENT or query["redirect_uri"] not in self.redirects:
            return HTMLResponse("unknown client or address", 400)
        ok = (
            query["response_type"] == "code"
            and "openid" in query["scope"].split()
            and query["code_challenge_method"] == "S256"
        )
        if not ok:
            return HTMLResponse("invalid request", 400)
        return HTMLResponse(
            "<!DOCTYPE html><title>Provider</title><link rel=icon href='data:,'>"
            f"<a id=go href='/agreed?{escape(urlencode(query))}'>Continue</a>"
        )

    async def _agreed(self, request: Request) -> Response:
        query = dict(request.query_params)
        answer = {"state": query["state"], "iss": self.issuer}
        answer |= {"error": self.refuses} if self.refuses else {"code": self.code(query)}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 303)

    async def _token(self, request: Request) -> Response:
        if fault := self._fault(request):
            return fault
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        began = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        if (
            form.get("grant_type") != "authorization_code"
            or began is None
            or began["redirect_uri"] != form.get("redirect_uri")
            or began["code_challenge"] != challenge.decode().rstrip("=")
            or not 43 <= len(verifier) <= 128
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {
                "access_token": "of no use here",
                "token_type": "Bearer",
                "id_token": self._id_token(began["nonce"]),
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _keys(self, request: Request) -> Response:
        published = [
            RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name, "use": "sig"}
            for name, key in self.keys.items()
        ]
        return self._fault(request) or JSONResponse({"keys": published})

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        header = request.headers.get("authorization", "")
        if self.client_secret is None:
            return not header and form.get("client_id") == CLIENT
        if header.startswith("Basic "):
            name, _, secret = base64.b64decode(header[6:]).decode().partition(":")
            login = unquote_plus(name), unquote_plus(secret)
        else:
            login = form.get("client_id", ""), form.get("client_secret", "")
        return login == (CLIENT, self.client_secret)

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.account,
        }
        claims = {name: value for name, value in (right | self.claims).items() if value is not None}
        key: Any = {"none": None, "HS256": CLIENT_SECRET * 2}.get(
            self.algorithm, self.keys.get(self.signs, FIRST_KEY)
        )
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": self.signs})


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Provider]:
    """Run a provider; ``host`` is how others call this machine."""
    provider = Provider()
    with serve(provider.app()) as url:
        provider.issuer = url.replace("127.0.0.1", host)
        yield provider
