"""Checks that values of several settings share."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, SecretStr

#: RFC 7518, 3.2: an HS256 key of at least the hash's size.
MIN_SECRET_BYTES = 32


def is_strong(secret: SecretStr) -> SecretStr:
    """Hold a secret to 32 random bytes or more."""
    value = secret.get_secret_value()
    if len(value.encode()) < MIN_SECRET_BYTES or len(set(value)) < 8:
        raise ValueError(
            f"must be {MIN_SECRET_BYTES} random bytes or more; make one with: openssl rand -hex 32"
        )
    return secret


def is_uuid(secret: SecretStr) -> SecretStr:
    """Hold a key of CompreFace to its form."""
    try:
        UUID(secret.get_secret_value())
    except ValueError:
        raise ValueError(
            "must be a UUID, as CompreFace's page shows it beside a service of type DETECTION"
        ) from None
    return secret


def is_address(url: str) -> str:
    """Hold an address to http or https, without a user."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or parts.port == 0  # which raises for one beyond 65535
    ):
        raise ValueError("must be like http://compreface.example:8000")
    return url


def is_public(url: str) -> str:
    """Hold an address to what paths can be added to."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"must be like https://photos.example.com, not {url!r}")
    return url


def are_origins(value: str) -> str:
    """Hold web pages to how browsers name them; spaces go."""
    origins = [origin.strip() for origin in value.split(",") if origin.strip()]
    for origin in origins:
        parts = urlsplit(origin)
        exact = parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{parts.netloc}"
        if origin != "*" and not (exact and parts.hostname and not set("@*") & set(parts.netloc)):
            raise ValueError(
                f"{origin!r} must be like https://app.example.com, without a path or a / at its"
                " end, as browsers send it"
            )
    return ",".join(origins)


def is_safe_address(url: str) -> str:
    """Hold an address to https, or http on this machine."""
    parts = urlsplit(url)
    # Whoever can answer in the issuer's place can sign for anybody.
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    if not safe or not parts.hostname or "@" in parts.netloc:
        raise ValueError(
            "must be like https://id.example/.well-known/jwks.json; http is for 127.0.0.1 only"
        )
    return url


def are_networks(text: str) -> str:
    """Hold networks to less than everybody; addresses become networks."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        networks = [ip_network(name, strict=False) for name in names]
    except ValueError:
        raise ValueError("must be like 127.0.0.1,10.0.0.0/8") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("must not be everybody: whoever connects could choose his address")
    return ",".join(map(str, networks))


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


Secret = Annotated[SecretStr, AfterValidator(is_strong)]
