"""Passwords that change while Photogate runs, the role that it has, and whose server it is."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres import pool as pool_module
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.roles import make_role, verifier
from photogate.errors import ConfigError, DatabaseUnavailable
from photogate.settings import DatabaseSettings
from tests.contract.test_face_tls import certificate as certificate

#: What the role of the program has no business with.
OF_THE_OWNER = {"migration_lease", "migration_steps"}


def one(session: Session) -> int:
    (row,) = session.rows("SELECT 1 AS one")
    return int(row["one"])


class Rotated:
    """A role whose password changes, and a source that tells it, as Secrets Manager does."""

    def __init__(self, owner: Pool, url: str) -> None:
        self.name = f"app_{time.time_ns()}"
        self._owner, self._place = owner, urlsplit(url)
        self.asked = 0
        make_role(owner, self.name, "first")
        self.told = self.url("first")

    def url(self, password: str) -> str:
        place = self._place
        netloc = f"{self.name}:{password}@{place.hostname}:{place.port}"
        return place._replace(netloc=netloc).geturl()

    def becomes(self, password: str) -> None:
        """Change it in the database."""
        make_role(self._owner, self.name, password)

    def renew(self) -> str:
        self.asked += 1
        return self.told


@pytest.fixture
def rotated(pool: Pool, migrated_url: str) -> Iterator[Rotated]:
    role = Rotated(pool, migrated_url)
    yield role
    pool.transaction(lambda s: s.rows(f"DROP ROLE {role.name}"))


class TestRotation:
    def test_open_connections_stay_and_new_ones_use_the_new_password(
        self, rotated: Rotated
    ) -> None:
        with closing(Pool(rotated.told, renew=rotated.renew)) as pool:
            assert pool.transaction(one) == 1
            rotated.becomes("second")
            rotated.told = rotated.url("second")
            assert pool.transaction(one) == 1
            assert rotated.asked == 0
            pool.close()
            assert pool.transaction(one) == 1
            assert rotated.asked == 1
            pool.close()
            with pool.patient() as connection:
                assert connection.run("SELECT 1") == [[1]]
            assert rotated.asked == 1

    def test_a_patient_connection_asks_as_well(self, rotated: Rotated) -> None:
        with closing(Pool(rotated.told, renew=rotated.renew)) as pool:
            rotated.becomes("second")
            rotated.told = rotated.url("second")
            with pool.patient() as connection:
                assert connection.run("SELECT 1") == [[1]]

    def test_between_the_two_changes_callers_are_told_to_come_again(
        self, rotated: Rotated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The database has the new password already, and the secret not yet."""
        monkeypatch.setattr(pool_module, "_ASK_AGAIN_S", 0.0)
        with closing(Pool(rotated.told, renew=rotated.renew)) as pool:
            assert pool.transaction(one) == 1
            rotated.becomes("second")
            pool.close()
            with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
                pool.transaction(one)
            rotated.told = rotated.url("second")
            assert pool.transaction(one) == 1

    def test_who_begins_between_them_is_told_the_same(self, rotated: Rotated) -> None:
        """The secret has the new password already, and the database not yet."""
        rotated.told = rotated.url("second")
        with closing(Pool(rotated.url("older"), renew=rotated.renew)) as pool:
            with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
                pool.transaction(one)
            rotated.becomes("second")
            assert pool.transaction(one) == 1
        assert rotated.asked == 1

    def test_one_that_stays_wrong_is_asked_for_every_few_seconds(
        self, rotated: Rotated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rotated.told = rotated.url("wrong")
        with closing(Pool(rotated.told, renew=rotated.renew)) as pool:
            for _ in range(5):
                with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
                    pool.transaction(one)
            assert rotated.asked == 1
            # Some seconds later.
            monkeypatch.setattr(pool, "_ask_not_before", 0.0)
            rotated.told = rotated.url("first")
            assert pool.transaction(one) == 1
        assert rotated.asked == 2

    def test_a_wrong_password_that_nobody_changes_is_a_fault_of_the_installation(
        self, rotated: Rotated
    ) -> None:
        rotated.told = rotated.url("wrong")
        with (
            closing(Pool(rotated.told)) as pool,
            pytest.raises(ConfigError, match="password authentication failed"),
        ):
            pool.transaction(one)

    def test_it_is_asked_once_however_many_wait(self, rotated: Rotated) -> None:
        with closing(Pool(rotated.told, size=8, renew=rotated.renew)) as pool:
            assert pool.transaction(one) == 1
            pool.close()
            rotated.becomes("second")
            rotated.told = rotated.url("second")
            together = threading.Barrier(8)

            def work(_: int) -> int:
                together.wait()
                return pool.transaction(one)

            with ThreadPoolExecutor(8) as threads:
                assert list(threads.map(work, range(8))) == [1] * 8
        # Those whose first try began before the answer came use it, too.
        assert rotated.asked == 1


class TestRole:
    def test_the_password_is_not_in_the_statement(self) -> None:
        told = verifier("correct horse")
        assert told.startswith("SCRAM-SHA-256$4096:")
        assert "horse" not in told
        assert verifier("correct horse") != told  # another salt

    @pytest.mark.parametrize("password", ["", "pässword"])
    def test_what_cannot_be_told_so_is_refused(self, pool: Pool, password: str) -> None:
        with pytest.raises(ConfigError, match="must be ASCII"):
            make_role(pool, "anybody", password)

    def test_names_and_passwords_with_quotes_are_only_that(
        self, pool: Pool, migrated_url: str
    ) -> None:
        name, password = f'o"neil_{time.time_ns()}', "it's; DROP TABLE media --"
        make_role(pool, name, password)
        place = urlsplit(migrated_url)
        settings = DatabaseSettings(
            db_host=place.hostname or "",
            db_port=place.port or 0,
            db_name=place.path.strip("/"),
        )
        with closing(Pool(settings.database_of(name, password))) as application:
            assert application.transaction(one) == 1
        quoted = name.replace('"', '""')
        pool.transaction(lambda s: s.rows(f'DROP ROLE "{quoted}"'))

    def test_who_may_not_make_it_is_told(self, rotated: Rotated) -> None:
        with (
            closing(Pool(rotated.told)) as application,
            pytest.raises(ConfigError, match="the role another cannot be made: permission denied"),
        ):
            make_role(application, "another", "x")

    def test_it_may_use_every_table_but_the_owners_and_change_no_schema(
        self, fresh_url: str
    ) -> None:
        role = f"app_{time.time_ns()}"
        with closing(Pool(fresh_url)) as owner:
            make_role(owner, role, "x")
            migrate(owner, application=role)
            rows = owner.transaction(
                lambda s: s.rows(
                    "SELECT relname AS name FROM pg_class WHERE relkind = 'r'"
                    " AND relnamespace = CAST(current_schema() AS regnamespace)"
                    " AND NOT has_table_privilege(CAST(:role AS name), oid, 'SELECT')",
                    role=role,
                )
            )
            assert {row["name"] for row in rows} == OF_THE_OWNER
            place = urlsplit(fresh_url)
            netloc = f"{role}:x@{place.hostname}:{place.port}"
            with closing(Pool(place._replace(netloc=netloc).geturl())) as application:
                for statement in ("CREATE TABLE mine ()", "DROP TABLE media", "CREATE ROLE x"):
                    with pytest.raises(DatabaseError, match=r"denied|must be owner"):
                        application.transaction(partial(Session.rows, sql=statement))
            owner.transaction(lambda s: s.rows(f"DROP OWNED BY {role}; DROP ROLE {role}"))


@pytest.fixture
def over_tls(migrated_url: str, certificate: Path) -> Iterator[Callable[[str], str]]:
    """PostgreSQL behind TLS with that certificate; gives its URL under a host and options."""
    place = urlsplit(migrated_url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        # Length and code of an SSLRequest.
        assert struct.unpack("!ii", plain.recv(8)) == (8, 80877103)
        plain.sendall(b"S")
        with (
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as client,
            socket.create_connection((place.hostname, place.port)) as server,
        ):
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()
        plain.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                threading.Thread(target=serve, args=(plain,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = listener.getsockname()[1]

    def url(host: str, **options: Any) -> str:
        settings = DatabaseSettings(
            db_host=host, db_port=port, db_name=place.path.strip("/"), **options
        )
        return settings.database_of(place.username or "", place.password or "")

    yield url
    listener.close()


class TestAuthorities:
    """``DB_SSLMODE=verify-full`` with ``DB_CA_FILE``, as for RDS."""

    def connects(self, url: str) -> bool:
        with closing(Pool(url)) as pool:
            return pool.transaction(one) == 1

    def test_a_server_of_that_authority_and_name(
        self, over_tls: Callable[..., str], certificate: Path
    ) -> None:
        url = over_tls("127.0.0.1", db_sslmode="verify-full", db_ca_file=certificate)
        assert self.connects(url)

    def test_another_name_is_refused(self, over_tls: Callable[..., str], certificate: Path) -> None:
        url = over_tls("localhost", db_sslmode="verify-full", db_ca_file=certificate)
        with pytest.raises(DatabaseUnavailable, match="localhost"):
            self.connects(url)
        assert self.connects(over_tls("localhost", db_sslmode="verify-ca", db_ca_file=certificate))

    def test_an_authority_that_nobody_knows_is_refused(self, over_tls: Callable[..., str]) -> None:
        with pytest.raises(DatabaseUnavailable, match="certificate verify failed"):
            self.connects(over_tls("127.0.0.1", db_sslmode="verify-full"))
        assert self.connects(over_tls("127.0.0.1", db_sslmode="require"))

    def test_a_proxys_certificate_is_from_an_authority_that_the_system_knows(
        self, over_tls: Callable[..., str], certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert self.connects(over_tls("127.0.0.1", db_sslmode="verify-full"))
        # Authorities of one's own take the place of the system's, as RDS's would.
        others = over_tls("127.0.0.1", db_sslmode="verify-full", db_ca_file=certifi.where())
        with pytest.raises(DatabaseUnavailable, match="certificate verify failed"):
            self.connects(others)

    def test_a_name_is_that_of_a_packaged_file(self, over_tls: Callable[..., str]) -> None:
        url = over_tls("127.0.0.1", db_sslmode="verify-full", db_ca_file="rds.pem")
        assert url.endswith("photogate/authorities/rds.pem")
        with pytest.raises(ConfigError, match="sslrootcert cannot be read"):
            self.connects(url)
