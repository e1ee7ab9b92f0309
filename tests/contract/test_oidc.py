"""An OpenID provider's answers, good and bad, and who its accounts are here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from photogate.adapters.oidc import OidcProvider, SealedAttempts
from photogate.domain import Role
from photogate.domain.signing_in import Accounts, Attempt, NotAllowed
from photogate.errors import ConfigError, ProviderUnavailable, RetryableError, Unauthenticated
from tests.conftest import SECRET
from tests.oidc_provider import CLIENT, CLIENT_SECRET, Provider, new_key, running

pytestmark = pytest.mark.quick

BACK = "https://photos.example/admin/sign-in/oidc"
ATTEMPT = Attempt(
    id="state-1", nonce="nonce-1", verifier="v" * 64, expires_at=datetime(2999, 1, 1, tzinfo=UTC)
)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that knows us."""
    with running() as provider:
        provider.redirects.add(BACK)
        yield provider


@pytest.fixture
def now() -> list[float]:
    """The time, for moving it."""
    return [1000.0]


@pytest.fixture
def client(provider: Provider, now: list[float]) -> OidcProvider:
    """What is tested."""
    return OidcProvider(
        provider.issuer, client_id=CLIENT, client_secret=CLIENT_SECRET, clock=lambda: now[0]
    )


def code_for(provider: Provider, client: OidcProvider, attempt: Attempt = ATTEMPT) -> str:
    """Sign in at the provider."""
    query = dict(parse_qsl(urlsplit(client.address(attempt, back_to=BACK)).query))
    return provider.code(query)


def finished(provider: Provider, client: OidcProvider) -> dict[str, Any]:
    return dict(client.claims(code_for(provider, client), ATTEMPT, back_to=BACK))


def test_an_account_signs_in(provider: Provider, client: OidcProvider) -> None:
    address = urlsplit(client.address(ATTEMPT, back_to=BACK))
    query = dict(parse_qsl(address.query))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/authorize"
    assert (query["state"], query["nonce"], query["redirect_uri"]) == ("state-1", "nonce-1", BACK)
    assert ATTEMPT.verifier not in address.query
    assert finished(provider, client)["sub"] == "248289761001"
    # What does not change is asked for once.
    assert finished(provider, client)["name"] == "Ada"
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/keys") == 1


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic"], None])
def test_every_way_to_tell_the_secret(
    provider: Provider, client: OidcProvider, methods: list[str] | None
) -> None:
    provider.said = {"token_endpoint_auth_methods_supported": methods}
    assert finished(provider, client)


def test_a_public_client_tells_none(provider: Provider) -> None:
    provider.client_secret = None
    client = OidcProvider(provider.issuer, client_id=CLIENT, client_secret=None)
    assert finished(provider, client)


#: What an ID token may not say, and how it may not be signed.
BAD: dict[str, dict[str, Any]] = {
    "nonce of another": {"claims": {"nonce": "nonce-2"}},
    "no nonce": {"claims": {"nonce": None}},
    "nonce is a list": {"claims": {"nonce": ["nonce-1"]}},
    "for another client": {"claims": {"aud": "shop"}},
    "for nobody": {"claims": {"aud": []}},
    "no aud": {"claims": {"aud": None}},
    "for several, issued to another": {"claims": {"aud": [CLIENT, "shop"], "azp": "shop"}},
    "for several, issued to nobody": {"claims": {"aud": [CLIENT, "shop"]}},
    "issued to another": {"claims": {"azp": "shop"}},
    "of another issuer": {"claims": {"iss": "https://id.example"}},
    "no iss": {"claims": {"iss": None}},
    "expired": {"claims": {"exp": 1}},
    "expires never": {"claims": {"exp": None}},
    "expires at no number": {"claims": {"exp": float("inf")}},
    "of tomorrow": {"claims": {"iat": time.time() + 86_400}},
    "of no time": {"claims": {"iat": None}},
    "of nobody": {"claims": {"sub": None}},
    "alg none": {"algorithm": "none"},
    "HS256 with the client's secret": {"algorithm": "HS256"},
    "RS512": {"algorithm": "RS512"},
    "key of a stranger": {"signs": "k9"},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_an_id_token_that_is_not_for_us_signs_nobody_in(
    provider: Provider, client: OidcProvider, bad: dict[str, Any]
) -> None:
    for name, value in bad.items():
        setattr(provider, name, value)
    with pytest.raises(Unauthenticated, match="begin again"):
        finished(provider, client)


def test_a_foreign_key_under_a_known_name_signs_nobody_in(
    provider: Provider, client: OidcProvider
) -> None:
    assert finished(provider, client)
    provider.keys = {"k1": new_key()}
    with pytest.raises(Unauthenticated):
        finished(provider, client)


def test_for_several_clients_and_issued_to_us(provider: Provider, client: OidcProvider) -> None:
    provider.claims = {"aud": [CLIENT, "shop"], "azp": CLIENT}
    assert finished(provider, client)


def test_a_code_is_good_once_and_for_the_browser_that_began(
    provider: Provider, client: OidcProvider
) -> None:
    code = code_for(provider, client)
    other = Attempt(id="s", nonce="n", verifier="w" * 64, expires_at=ATTEMPT.expires_at)
    with pytest.raises(Unauthenticated, match="any more"):
        client.claims(code, other, back_to=BACK)
    code = code_for(provider, client)
    assert client.claims(code, ATTEMPT, back_to=BACK)
    for bad in (code, "made up"):
        with pytest.raises(Unauthenticated, match="any more"):
            client.claims(bad, ATTEMPT, back_to=BACK)


def test_keys_rotate(provider: Provider, client: OidcProvider, now: list[float]) -> None:
    assert finished(provider, client)
    provider.keys["k2"] = new_key()
    provider.signs = "k2"
    now[0] += 11
    assert finished(provider, client)
    del provider.keys["k1"]
    provider.signs = "k1"
    now[0] += 301
    with pytest.raises(Unauthenticated):
        finished(provider, client)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
@pytest.mark.parametrize(
    "fault",
    [
        Response(status_code=500),
        Response(b"<html>"),
        Response(b"[" * 100_000),
        JSONResponse([]),
        Response(status_code=429),
    ],
    ids=["500", "no JSON", "deep", "a list", "429"],
)
def test_an_outage_is_no_mistake_of_the_person(
    provider: Provider, client: OidcProvider, now: list[float], path: str, fault: Response
) -> None:
    provider.faults = {path: fault}
    with pytest.raises(RetryableError):
        finished(provider, client)
    provider.faults.clear()
    now[0] += 11
    assert finished(provider, client)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_no_redirect_is_followed(provider: Provider, client: OidcProvider, path: str) -> None:
    provider.faults = {path: RedirectResponse(f"{provider.issuer}/elsewhere", 307)}
    with pytest.raises((ConfigError, RetryableError)):
        finished(provider, client)
    assert "/elsewhere" not in provider.asked


def test_nobody_answers() -> None:
    client = OidcProvider("http://127.0.0.1:1", client_id=CLIENT, client_secret=None)
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        client.address(ATTEMPT, back_to=BACK)


def test_known_places_go_on_while_the_provider_is_down(
    provider: Provider, client: OidcProvider, now: list[float]
) -> None:
    assert client.address(ATTEMPT, back_to=BACK)
    provider.faults = {"/.well-known/openid-configuration": Response(status_code=500)}
    now[0] += 80_000
    assert client.address(ATTEMPT, back_to=BACK)
    now[0] += 10_000
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            client.address(ATTEMPT, back_to=BACK)
    # Twice that it was tried, and once when it was well.
    assert len(provider.asked) == 3


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://id.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_another_provider_is_a_wrong_setting(
    provider: Provider, client: OidcProvider, said: dict[str, Any]
) -> None:
    provider.said = said
    with pytest.raises(ConfigError):
        client.address(ATTEMPT, back_to=BACK)


def test_a_refused_client_is_a_wrong_setting(provider: Provider, client: OidcProvider) -> None:
    provider.client_secret = "another"
    with pytest.raises(ConfigError, match=r"invalid_client.*OIDC_CLIENT_SECRET"):
        finished(provider, client)


class TestAttempts:
    ATTEMPTS = SealedAttempts(SECRET)

    def test_any_process_with_the_secret_opens_it(self) -> None:
        assert SealedAttempts(SECRET).opened(self.ATTEMPTS.seal(ATTEMPT)) == ATTEMPT

    def test_nobody_else_makes_one(self) -> None:
        sealed = self.ATTEMPTS.seal(ATTEMPT)
        for bad in (
            "",
            "x",
            "ü.ü.ü",
            SealedAttempts(SECRET + "x").seal(ATTEMPT),
            sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB"),
            sealed.rpartition(".")[0] + ".",
        ):
            with pytest.raises(Unauthenticated, match="did not begin here"):
                self.ATTEMPTS.opened(bad)

    def test_its_time_ends(self) -> None:
        over = datetime.now(UTC) - timedelta(seconds=2)
        late = Attempt(id="s", nonce="n", verifier="v", expires_at=over)
        with pytest.raises(Unauthenticated, match="too long"):
            self.ATTEMPTS.opened(self.ATTEMPTS.seal(late))


ACCOUNTS = Accounts(
    roles_claim="realm_access.roles",
    roles={
        Role.ADMIN: frozenset({"lead"}),
        Role.MODERATOR: frozenset({"crew", "lead"}),
        Role.VIEWER: frozenset(),
    },
)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["x", "crew"]}}, Role.MODERATOR),
        ({"realm_access": {"roles": ["crew", "lead"]}}, Role.ADMIN),
        ({"realm_access": {"roles": "crew"}}, Role.MODERATOR),
        ({"realm_access": {"roles": {"crew": {"7": "x"}}}}, Role.MODERATOR),
        # A name with dots, as some providers want it for claims of one's own.
        ({"realm_access.roles": ["crew"]}, Role.MODERATOR),
    ],
)
def test_a_claim_gives_the_role(claims: dict[str, Any], role: Role) -> None:
    assert ACCOUNTS.principal({"sub": "1", **claims}).role is role


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"realm_access": {"roles": ["CREW", "crew "]}},
        {"realm_access": {"roles": [["crew"], 7, None]}},
        {"realm_access": ["roles"]},
        {"roles": ["crew"]},
        {"role": "admin", "realm_access": {"roles": "crew,lead"}},
    ],
)
def test_no_other_value_gives_one(claims: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="no role here"):
        ACCOUNTS.principal({"sub": "1", **claims})


@pytest.mark.parametrize("sub", [None, "", 7, "x" * 129, "\0", "\ud800"])
def test_who_cannot_be_named_does_not_come_in(sub: Any) -> None:
    with pytest.raises(NotAllowed):
        ACCOUNTS.principal({"sub": sub, "realm_access": {"roles": ["crew"]}})


@pytest.mark.parametrize(
    ("roles_claim", "user_claim"), [("groups", "email"), ("email", "sub"), ("email", "email")]
)
def test_an_address_is_nobodys_before_it_is_verified(roles_claim: str, user_claim: str) -> None:
    by_mail = Accounts(
        roles_claim=roles_claim,
        roles={Role.VIEWER: frozenset({"v", "ada@photos.example"})},
        user_claim=user_claim,
    )
    account = {"sub": "1", "groups": "v", "email": "ada@photos.example", "name": "Ada\0"}
    with pytest.raises(NotAllowed, match="not verified"):
        by_mail.principal(account)
    found = by_mail.principal(account | {"email_verified": True})
    assert found.user_id == {"sub": "1", "email": "ada@photos.example"}[user_claim]
    # A name that no row can hold is left out.
    assert (found.name, found.role) == ("ada@photos.example", Role.VIEWER)
