"""CompreFace over TLS: whose certificate counts, and that time is bounded there, too."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from photogate.adapters.faces_compreface import ComprefaceFaces
from photogate.errors import FacesUnavailable
from tests.compreface import KEY
from tests.contract.conftest import Fault, FaultyServer
from tests.contract.test_face_detector import GOOD, PICTURE, TIMEOUT_S, ok


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "compreface")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@pytest.fixture
def tls(faulty: FaultyServer, certificate: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    faulty.socket = context.wrap_socket(faulty.socket, server_side=True)
    return faulty.url.replace("http:", "https:")


def test_a_certificate_of_the_bundle_counts(
    faulty: FaultyServer,
    tls: str,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    faces = ComprefaceFaces(tls, KEY, timeout_s=TIMEOUT_S)
    faulty.fault = Fault(writes=ok(GOOD))
    assert len(faces.detect(PICTURE)) == 1
    # and time is bounded there, too
    faulty.fault = Fault(writes=ok(GOOD)[:40], then="stall")
    with pytest.raises(FacesUnavailable, match=r"not within 0\.5 s"):
        faces.detect(PICTURE)
    faces.close()


def test_another_certificate_is_refused(faulty: FaultyServer, tls: str) -> None:
    with pytest.raises(FacesUnavailable, match="certificate verify failed"):
        ComprefaceFaces(tls, KEY, timeout_s=TIMEOUT_S).detect(PICTURE)
    assert faulty.bodies == []


def test_a_certificate_for_another_host_is_refused(
    tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(FacesUnavailable, match=r"mismatch|doesn't match"):
        ComprefaceFaces(tls.replace("127.0.0.1", "localhost"), KEY, timeout_s=TIMEOUT_S).detect(
            PICTURE
        )
