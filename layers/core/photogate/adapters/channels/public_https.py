"""HTTPS to public addresses only: whoever names the address must not reach what is behind us.

A name is resolved once, and the connection is made to the very address that was looked at: a name
that resolves to another one a moment later changes nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from photogate.domain import Deadline

#: RFC 6052 and RFC 3056: an IPv4 address stands inside.
_NAT64 = ip_network("64:ff9b::/96")
_6TO4 = ip_network("2002::/16")
#: RFC 4291, deprecated: the last 32 bits are an IPv4 address.
_COMPATIBLE = ip_network("::/96")
#: Resolving has no timeout of its own.
_RESOLVE_S = 5.0


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet.

    Not so: private, loopback, link-local (metadata services), shared (RFC 6598), reserved and
    multicast ones, and IPv6 addresses that stand for one of these.
    """
    ip = ip_address(address.partition("%")[0])
    inner = _inner(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _inner(ip: IPv6Address) -> IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64 or ip in _COMPATIBLE:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in _6TO4:
        return IPv4Address(int(ip) >> 80 & 0xFFFFFFFF)
    return None


class PublicHTTPSConnection(HTTPSConnection):
    """TLS to a public address; the certificate is of the name."""

    def _new_conn(self) -> socket.socket:
        found = resolved(self._dns_host, self.port)
        public = [place for place in found if is_public(place[1][0])]
        if not public:
            raise NewConnectionError(self, f"{self._dns_host} is no public address")
        return connected(self, public)


Place = tuple[socket.AddressFamily, tuple[str, int]]


def resolved(host: str, port: int) -> list[Place]:
    """Give the addresses of a name, once; [] when there are none.

    Raises:
        OSError: it cannot be resolved, or not in time.
    """
    found = Deadline.after(_RESOLVE_S).bound(
        lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return [(family, (str(where[0]), int(where[1]))) for family, _, _, _, where in found]


def connected(connection: HTTPConnection, places: list[Place]) -> socket.socket:
    """Connect to the first of these that answers.

    Raises:
        NewConnectionError: none does.
    """
    problem: OSError | None = None
    for family, where in places:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            if isinstance(connection.timeout, int | float):
                opened.settimeout(connection.timeout)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.connect(where)
        except OSError as error:
            problem = error
            opened.close()
        else:
            return opened
    raise NewConnectionError(connection, f"cannot connect: {problem}") from problem
