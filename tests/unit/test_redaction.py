"""Secrets are hidden by their look and by their value."""

from __future__ import annotations

import pytest

from photogate.adapters.postgres.pool import connect_arguments
from photogate.adapters.queue_redis import connect
from photogate.errors import ConfigError, QueueUnavailable
from photogate.redaction import redact, remember


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("postgresql://me:pa@ss/w#rd@db:5432/x is gone", "postgresql://me:***@db:5432/x is gone"),
        ("redis://:secret@r:6379/0", "redis://:***@r:6379/0"),
        ("http://h/p?X-Amz-Signature=ab12&x=1", "http://h/p?X-Amz-Signature=***&x=1"),
        ("/files/a?signature=ab12&type=t", "/files/a?signature=***&type=t"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln was sent", "token *** was sent"),
        ("http://compreface.example:8000 is gone", "http://compreface.example:8000 is gone"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(said: str, left: str) -> None:
    assert redact(said) == left
    assert str(QueueUnavailable(said)) == left


def test_a_known_secret_is_hidden_however_it_is_written() -> None:
    remember('postgresql://me:Quo"te%2Fd-word@db/x')
    for written in ('Quo"te/d-word', 'Quo"te%2Fd-word', 'Quo\\"te/d-word', "Quo%22te%2Fd-word"):
        assert redact(f"it is {written}.") == "it is ***."


@pytest.mark.parametrize("password", ["12/34567", "12#34567", "12?sslmode=34567", "12/a@b34567"])
def test_half_of_a_password_is_not_taken_for_a_host(password: str) -> None:
    with pytest.raises(ConfigError) as refused:
        connect_arguments(f"postgresql://me:{password}@db:5432/x")
    assert "34567" not in str(refused.value)
    with pytest.raises(ConfigError, match="REDIS_URL: "):
        connect(f"redis://:{password.replace('?sslmode=', '/')}@db:6379/0")
