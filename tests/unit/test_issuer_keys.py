"""Tokens of an issuer whose keys come over HTTP: what holds, what is refused, what is an outage."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.upload.app import router
from local.client import ApiRefused, PhotogateClient
from photogate.auth import TokenVerifier, issue_token
from photogate.errors import RetryableError, Unauthenticated
from photogate.http import make_app
from photogate.issuer_keys import IssuerKeys
from tests.conftest import SECRET
from tests.servers import serve

ISSUER, AUDIENCE = "https://id.example", "photogate"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
P384_KEY = ec.generate_private_key(ec.SECP384R1())


def jwk(key: Any, kid: Any = "k1", **more: Any) -> dict[str, Any]:
    kind: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


def token(key: Any, alg: str = "RS256", kid: Any = "k1", **claims: Any) -> str:
    headers = {} if kid is None else {"kid": kid}
    said = {"sub": "u", "exp": time.time() + 60, "iss": ISSUER, "aud": AUDIENCE, **claims}
    return jwt.encode(said, key, algorithm=alg, headers=headers)


def forged(header: Any, payload: bytes = b'{"sub":"u","exp":4000000000}') -> str:
    """Make a token whose header no library would write."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    parts = (head, payload, b"signature")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@dataclass
class Issuer:
    """A JWKS on loopback."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    asked: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def has(self, *keys: Any) -> TokenVerifier:
        """Publish these keys, and give a verifier that knows none yet."""
        self.body = json.dumps({"keys": keys}).encode()
        return TokenVerifier(jwks_url=self.url, issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer."""
    issuer = Issuer()

    async def keys(_: Request) -> Response:
        issuer.asked += 1
        return Response(issuer.body, issuer.status, issuer.headers, "application/json")

    with serve(Starlette(routes=[Route("/jwks", keys)])) as url:
        issuer.url = f"{url}/jwks"
        yield issuer


@pytest.mark.parametrize(("key", "alg"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_token_of_the_issuer_holds(issuer: Issuer, key: Any, alg: str) -> None:
    verifier = issuer.has(jwk(key))
    assert verifier.verify(token(key, alg)).user_id == "u"
    assert verifier.verify(token(key, alg, aud=["other", AUDIENCE])).user_id == "u"
    assert issuer.asked == 1


#: Each is refused where the issuer has an RSA key k1, an EC key k2 and a P-384 key k3.
BAD = {
    "of a stranger": token(STRANGER),
    "of another key": token(RSA_KEY, kid="k2"),
    "of no key": token(RSA_KEY, kid="k9"),
    "without a kid": token(RSA_KEY, kid=None),
    "with an empty kid": token(RSA_KEY, kid=""),
    "with a long kid": token(RSA_KEY, kid="k" * 3000),
    "kid is a number": forged({"alg": "RS256", "kid": 1}),
    "kid is a list": forged({"alg": "RS256", "kid": ["k1"]}),
    "kid is an object": forged({"alg": "RS256", "kid": {"k1": 1}}),
    "kid is a path": token(RSA_KEY, kid="../../etc/passwd\0"),
    "ES256 with an RSA key": token(EC_KEY, "ES256", kid="k1"),
    "RS256 with an EC key": token(RSA_KEY, "RS256", kid="k2"),
    "PS256": token(RSA_KEY, "PS256"),
    "RS512": token(RSA_KEY, "RS512"),
    "ES384": token(P384_KEY, "ES384", kid="k3"),
    "ES256 with a P-384 key": forged({"alg": "ES256", "kid": "k3"}),
    "HS256": token(SECRET, "HS256"),
    "HS256 with the public key": token(jwk(RSA_KEY)["n"], "HS256"),
    "none": token(None, "none"),
    "None": forged({"alg": "None", "kid": "k1"}),
    "no alg": forged({"kid": "k1"}),
    "alg is a list": forged({"alg": ["RS256"], "kid": "k1"}),
    "alg is an object": forged({"alg": {}, "kid": "k1"}),
    "alg is null": forged({"alg": None, "kid": "k1"}),
    "with a key of its own": forged({"alg": "RS256", "kid": "k1", "jwk": jwk(STRANGER)}),
    "critical": forged({"alg": "RS256", "kid": "k1", "crit": ["x"], "x": 1}),
    "detached": forged({"alg": "RS256", "kid": "k1", "b64": False, "crit": ["b64"]}),
    "header is a list": forged([]),
    "header is a number": forged(7),
    "header is no JSON": forged(b"\xff"),
    "header is deep": forged(b"[" * 5000),
    "payload is deep": forged({"alg": "RS256", "kid": "k1"}, b"[" * 5000),
    "huge": token(RSA_KEY, name="n" * 8000),
    "begins at a huge number": token(RSA_KEY, nbf=10**400),
    "of another application": token(RSA_KEY, aud="shop"),
    "of another issuer": token(RSA_KEY, iss="https://id.example.evil"),
    "for nobody": token(RSA_KEY, aud=[]),
    "expired": token(RSA_KEY, exp=1),
    "expires never": token(RSA_KEY, exp=float("inf")),
    "expires at no number": token(RSA_KEY, exp=float("nan")),
    "expires at a text": token(RSA_KEY, exp="4000000000"),
    "sub is a number": token(RSA_KEY, sub=7),
    "one part": "token",
    "four parts": "a.b.c.d",
    "no ASCII": "ü.ü.ü",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_any_other_token_is_refused(issuer: Issuer, bad: str) -> None:
    verifier = issuer.has(jwk(RSA_KEY), jwk(EC_KEY, "k2"), jwk(P384_KEY, "k3"))
    with pytest.raises(Unauthenticated):
        verifier.verify(bad)


def test_a_refused_token_is_a_401_without_a_traceback(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    class Parts:
        verifier = issuer.has(jwk(RSA_KEY))

    app = make_app("upload", title="t", summary="s", base="/api/v1", router=router, parts=Parts)
    with serve(app) as url:
        for bad in ("ES256 with an RSA key", "expires never", "header is deep", "none"):
            client = PhotogateClient(url, BAD[bad])
            with pytest.raises(ApiRefused) as refused:
                client.call("GET", "/users/media/upload-url")
            client.close()
            assert refused.value.status == 401, bad
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("twin", [jwk(STRANGER), jwk(EC_KEY), jwk(RSA_KEY, use="enc")])
def test_an_id_that_is_used_twice_hides_no_key(issuer: Issuer, twin: dict[str, Any]) -> None:
    for keys in ((twin, jwk(RSA_KEY)), (jwk(RSA_KEY), twin)):
        assert issuer.has(*keys).verify(token(RSA_KEY)).user_id == "u"
        with pytest.raises(Unauthenticated):
            issuer.has(*keys).verify(token(rsa.generate_private_key(65537, 2048)))


def test_odd_keys_keep_no_sound_one_away(issuer: Issuer) -> None:
    odd: list[Any] = [
        None,
        [],
        "key",
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
        {"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "k1"},
        {"kty": "RSA", "kid": "k1"},
        {"kty": "RSA", "n": 7, "e": [], "kid": "k1"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "k1"},
        jwk(RSA_KEY, alg=["RS256"]),
        jwk(RSA_KEY, alg="PS256"),
        jwk(RSA_KEY, kid=None),
        jwk(RSA_KEY, kid=["k1"]),
    ]
    assert issuer.has(*odd, jwk(RSA_KEY)).verify(token(RSA_KEY)).user_id == "u"
    with pytest.raises(RetryableError):
        issuer.has(*odd).verify(token(RSA_KEY))


def test_a_short_key_is_not_enough(issuer: Issuer) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        signed = token(short)
    with pytest.raises(Unauthenticated, match="2048"):
        issuer.has(jwk(short)).verify(signed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"{}", 200),
        (b"[]", 200),
        (b'{"keys": []}', 200),
        (b'{"keys": {}}', 200),
        (b"[" * 100_000, 200),
        (b"\xff\xfe", 200),
        (b"", 500),
        (b"", 302),
    ],
)
def test_an_outage_of_the_issuer_is_no_bad_token(issuer: Issuer, body: bytes, status: int) -> None:
    verifier = issuer.has()
    issuer.body, issuer.status = body, status
    issuer.headers = {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(RetryableError):
        verifier.verify(token(RSA_KEY))
    with pytest.raises(RetryableError):
        TokenVerifier(jwks_url="http://127.0.0.1:1/jwks").verify(token(RSA_KEY))


class TestKeysOverTime:
    """An outage, a rotation, and strangers who make us ask."""

    @pytest.fixture
    def now(self) -> list[float]:
        """The time, for moving it."""
        return [1000.0]

    @pytest.fixture
    def keys(self, issuer: Issuer, now: list[float]) -> IssuerKeys:
        """The keys of an issuer that has k1, fetched already."""
        issuer.has(jwk(RSA_KEY))
        keys = IssuerKeys(issuer.url, clock=lambda: now[0])
        assert keys.named("k1")
        return keys

    def test_known_keys_go_on_for_a_day_without_the_issuer(
        self, issuer: Issuer, now: list[float], keys: IssuerKeys
    ) -> None:
        issuer.status = 500
        for now[0] in (1400.0, 50_000.0, 1000 + 86_400.0):
            assert keys.named("k1")
        assert issuer.asked == 4
        with pytest.raises(RetryableError):
            keys.named("k2")
        now[0] += 1
        with pytest.raises(RetryableError):
            keys.named("k1")
        issuer.status = 200
        now[0] += 11
        assert keys.named("k1")
        assert keys.named("k2") == []

    def test_a_new_key_is_known_within_10_s_and_an_old_one_forgotten_after_5_minutes(
        self, issuer: Issuer, now: list[float], keys: IssuerKeys
    ) -> None:
        issuer.has(jwk(EC_KEY, "k2"))
        now[0] += 11
        assert keys.named("k1")
        assert keys.named("k2")
        assert keys.named("k1") == []

    def test_unknown_ids_make_it_ask_once_in_10_s(
        self, issuer: Issuer, now: list[float], keys: IssuerKeys
    ) -> None:
        for _ in range(50):
            now[0] += 1
            assert keys.named("k9") == []
        assert 4 <= issuer.asked <= 6


def test_hs256_tokens_need_no_issuer() -> None:
    assert TokenVerifier(secret=SECRET).verify(issue_token("u", secret=SECRET)).user_id == "u"
