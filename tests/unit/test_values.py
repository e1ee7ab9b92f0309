"""Small pure pieces: job bodies, object keys, tokens, backoff, texts, settings."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogate import settings as s
from photogate.auth import TokenVerifier, issue_token
from photogate.domain import Face, Reason, Role, Signals
from photogate.domain.object_keys import (
    copies_of,
    copy_key,
    kept_key,
    may_be_uploaded,
    may_be_viewed,
    other_copy,
)
from photogate.errors import ConfigError, InvalidRequest, Unauthenticated
from photogate.file_keys import FileKeys, user_segment
from photogate.messages import Job
from photogate.service.attempts import backoff_s
from photogate.texts import reason_text
from tests.conftest import SECRET

ROOT = Path(__file__).parents[2]


class TestJobs:
    def test_a_job_survives_the_queue(self) -> None:
        job = Job(batch_id="b-1", generation=3)
        assert job.encode() == '{"v":1,"batch_id":"b-1","generation":3}'
        assert Job.decode(job.encode()) == job

    @pytest.mark.parametrize(
        "body", ["", "[]", "{}", '{"v":2,"batch_id":"b","generation":1}', '{"v":1,"batch_id":7}']
    )
    def test_other_bodies_are_refused(self, body: str) -> None:
        with pytest.raises(InvalidRequest):
            Job.decode(body)


class TestFileKeys:
    keys = FileKeys(SECRET)

    @given(st.text(min_size=1, max_size=128))
    def test_a_key_belongs_to_its_user_only(self, user: str) -> None:
        key = self.keys.new(user, "image/jpeg")
        assert re.fullmatch(r"incoming/[A-Za-z0-9_~-]+/photo/[0-9a-f]{32}-[0-9a-f]{32}\.jpg", key)
        assert self.keys.owned(user, key)
        assert not self.keys.owned(user + "x", key)
        assert not FileKeys(SECRET + "x").owned(user, key)

    @given(st.text(min_size=1, max_size=128))
    def test_a_key_of_the_earlier_layout_belongs_to_its_user_as_well(self, user: str) -> None:
        earlier = self.keys.new(user, "image/jpeg").replace("incoming/", "users/", 1)
        assert self.keys.owned(user, earlier)
        assert not self.keys.owned(user + "x", earlier)
        assert not may_be_uploaded(earlier)
        assert may_be_viewed(earlier)
        for prefix in ("kept/", "copies/", "", "x/", "incoming/../users/"):
            assert not self.keys.owned(user, earlier.replace("users/", prefix, 1))

    @pytest.mark.parametrize("position", [-40, -5, -1])
    def test_an_altered_key_is_nobodys(self, position: int) -> None:
        key = self.keys.new("u", "image/png")
        swapped = "0" if key[position] != "0" else "1"
        assert not self.keys.owned("u", key[:position] + swapped + key[position:][1:])

    @pytest.mark.parametrize("user", ["../../etc", "a/b", ".", "ü", "~" + "0" * 64])
    def test_unsafe_users_are_encoded(self, user: str) -> None:
        assert re.fullmatch(r"~[0-9a-f]{64}", user_segment(user))


class TestObjectKeys:
    def test_what_is_ours_has_the_same_key_each_time_and_is_never_uploaded(self) -> None:
        kept = kept_key("5f", "ab" * 32)
        copies = copies_of(kept)
        assert kept == kept_key("5f", "ab" * 32) != kept_key("5f", "ac" * 32)
        assert copy_key("display", "5f", "ab" * 32, suffix="jpg") in copies
        assert len(set(copies)) == 6
        assert not any(may_be_uploaded(key) for key in (kept, *copies))
        assert not may_be_viewed(kept)
        assert all(may_be_viewed(key) for key in copies)
        assert other_copy(copies[0], "thumb") in copies

    @pytest.mark.parametrize("key", ["incoming", "Incoming/x", "/incoming/x", "x/incoming/y", ""])
    def test_only_one_prefix_is_for_uploads(self, key: str) -> None:
        assert may_be_uploaded("incoming/x")
        assert not may_be_viewed("incoming/x")
        assert not may_be_uploaded(key)


class TestTokens:
    verifier = TokenVerifier(secret=SECRET)

    def test_a_good_token_tells_who_calls(self) -> None:
        token = issue_token("u-1", secret=SECRET, role=Role.MODERATOR, name="Ada")
        principal = self.verifier.verify(token)
        assert (principal.user_id, principal.role, principal.name) == ("u-1", "moderator", "Ada")

    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": "u"},
            {"exp": 4e9},
            {"sub": "u", "exp": 1},
            {"sub": "", "exp": 4e9},
            {"sub": "u" * 129, "exp": 4e9},
            {"sub": "u\0", "exp": 4e9},
            {"sub": "\ud800", "exp": 4e9},
            {"sub": "u", "exp": 4e9, "role": "root"},
            {"sub": "u", "exp": 4e9, "role": ["admin"]},
            {"sub": "u", "exp": 4e9, "nbf": 4e9},
            {"sub": "u", "exp": "4000000000"},
            {"sub": "u", "exp": True},
            {"sub": "u", "exp": math.nan},
            {"sub": "u", "exp": math.inf},
            {"sub": "u", "exp": -math.inf},
            {"sub": "u", "exp": [4e9]},
            {"sub": "u", "exp": None},
            {"sub": "u", "exp": 4e9, "nbf": "1"},
            {"sub": "u", "exp": 4e9, "nbf": math.inf},
            {"sub": "u", "exp": 4e9, "iat": math.nan},
            {"sub": "u", "exp": 4e9, "iat": {}},
            {"sub": 7, "exp": 4e9},
            {"sub": ["u"], "exp": 4e9},
            {"sub": None, "exp": 4e9},
            {"sub": "u", "exp": 4e9, "role": {"admin": True}},
            {"sub": "u", "exp": 4e9, "role": 7},
            {"sub": "u", "exp": 4e9, "role": "Admin"},
        ],
    )
    def test_incomplete_or_untimely_claims_are_refused(self, claims: dict[str, Any]) -> None:
        with pytest.raises(Unauthenticated):
            self.verifier.verify(jwt.encode(claims, SECRET, algorithm="HS256"))

    def test_other_algorithms_and_keys_are_refused(self) -> None:
        claims = {"sub": "u", "exp": time.time() + 60}
        for token in (
            jwt.encode(claims, "", algorithm="none"),
            jwt.encode(claims, SECRET * 2, algorithm="HS512"),
            jwt.encode(claims, SECRET + "x", algorithm="HS256"),
            "a.b.c",
            "",
            None,
        ):
            with pytest.raises(Unauthenticated):
                self.verifier.verify(token)

    def test_issuer_and_audience_are_required_once_configured(self) -> None:
        strict = TokenVerifier(secret=SECRET, issuer="https://id.example", audience="photogate")
        with pytest.raises(Unauthenticated):
            strict.verify(issue_token("u", secret=SECRET))
        good = issue_token("u", secret=SECRET, issuer="https://id.example", audience="photogate")
        assert strict.verify(good).user_id == "u"


class TestRoles:
    @pytest.mark.parametrize(
        ("role", "allows"),
        [
            (Role.USER, {"user"}),
            (Role.VIEWER, {"user", "viewer"}),
            (Role.MODERATOR, {"user", "viewer", "moderator"}),
            (Role.ADMIN, {"user", "viewer", "moderator", "admin"}),
        ],
    )
    def test_each_role_may_do_what_the_ones_before_it_may(
        self, role: Role, allows: set[str]
    ) -> None:
        assert {needed for needed in Role if role.allows(needed)} == allows


def test_faces_are_stored_as_shares_of_the_picture() -> None:
    face = Face(box=(0.1, 0.2, 0.30001, 0.4), score=0.987654)
    document = Signals(faces=(face,)).to_json()
    assert document["has_face"] is True
    assert document["face_count"] == 1
    assert document["faces"] == [{"box": [0.1, 0.2, 0.3, 0.4], "score": 0.9877}]
    assert Signals(faces=()).to_json() == {"has_face": False, "face_count": 0, "faces": []}


def test_signals_that_were_not_computed_are_absent() -> None:
    assert Signals(width=3, blur_variance=0.0).to_json() == {"width": 3, "blur_variance": 0.0}


@pytest.mark.parametrize(("receive_count", "most"), [(1, 5), (2, 10), (4, 40), (30, 900)])
def test_backoff_has_full_jitter_up_to_its_bound(receive_count: int, most: float) -> None:
    delays = [backoff_s(receive_count) for _ in range(300)]
    assert all(0 <= delay <= most for delay in delays)
    assert max(delays) > most / 2 > min(delays)


def test_every_reason_has_words() -> None:
    for reason in Reason:
        assert reason_text(reason) != reason
    assert reason_text("my own words") == "my own words"
    assert reason_text(None) is None


class TestSettings:
    FULL = {  # noqa: RUF012 - read only
        "DATABASE_URL": "postgresql://u:p@h/d",
        "PHOTOS_DIR": "photos",
        "PHOTOS_URL_SECRET": SECRET,
        "JWT_SECRET": SECRET,
    }

    def read(self, monkeypatch: pytest.MonkeyPatch, **values: str) -> s.UploadSettings:
        for name in {**self.FULL, **values}:
            monkeypatch.delenv(name, raising=False)
        for name, value in {**self.FULL, **values}.items():
            monkeypatch.setenv(name, value)
        return s.read(s.UploadSettings)

    def test_the_predecessors_names_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = self.read(
            monkeypatch,
            DATABASE_URL="",
            DB_HOST="db",
            DB_USER="me",
            DB_PASSWORD="p@ss",
            REDIS_HOST="r",
            REDIS_PASSWORD="s/x",
        )
        assert settings.database == ("postgresql://me:p%40ss@db:5432/photogate?sslmode=prefer")
        assert settings.redis == "redis://:s%2Fx@r:6379/0"

    HERE = "postgresql://u:p@127.0.0.1/d"

    @pytest.mark.parametrize(
        ("words", "values"),
        [
            ("the database is at h: unset it", {}),
            ("the database is at db", {"DATABASE_URL": "", "DB_HOST": "db"}),
            ("this runs on AWS Lambda", {"AWS_LAMBDA_FUNCTION_NAME": "upload"}),
            ("the bucket is at AWS", {"S3_BUCKET_PHOTOS": "b"}),
            ("the bucket is at s3.example", {"S3_ENDPOINT": "https://s3.example"}),
        ],
    )
    def test_test_mode_is_refused_where_others_may_upload(
        self, monkeypatch: pytest.MonkeyPatch, words: str, values: dict[str, str]
    ) -> None:
        if "bucket" in words:
            values = {
                "DATABASE_URL": self.HERE,
                "PHOTOS_DIR": "",
                "S3_BUCKET_PHOTOS": "b",
                **values,
            }
        with pytest.raises(ConfigError, match=words) as refusal:
            self.read(monkeypatch, PHOTOGATE_TEST_MODE="1", **values)
        assert "PHOTOGATE_TEST_MODE=really" in str(refusal.value)
        assert self.read(monkeypatch, PHOTOGATE_TEST_MODE="really", **values).test_mode
        assert not self.read(monkeypatch, PHOTOGATE_TEST_MODE="0", **values).test_mode

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"DATABASE_URL": "", "DB_HOST": "localhost"},
            {"PHOTOS_DIR": "", "S3_BUCKET_PHOTOS": "b", "S3_ENDPOINT": "http://[::1]:9000"},
        ],
    )
    def test_test_mode_is_for_one_machine(
        self, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
    ) -> None:
        values = {"DATABASE_URL": self.HERE, **values}
        assert self.read(monkeypatch, PHOTOGATE_TEST_MODE="1", **values).test_mode
        assert not self.read(monkeypatch, PHOTOGATE_TEST_MODE="", **values).test_mode
        with pytest.raises(ConfigError, match=r"PHOTOGATE_TEST_MODE: .*'really'"):
            self.read(monkeypatch, PHOTOGATE_TEST_MODE="yes", **values)

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("JWT_SECRET", "short", "JWT_SECRET: must be 32 random bytes"),
            ("JWT_SECRET", "a" * 64, "JWT_SECRET: must be 32 random bytes"),
            ("PHOTOS_URL_SECRET", "", "PHOTOS_URL_SECRET is required with PHOTOS_DIR"),
            ("JWT_SECRET", "", "set either JWT_SECRET or JWT_JWKS_URL"),
            ("JWT_JWKS_URL", "http://id.example/keys", "JWT_JWKS_URL: must be like https://"),
            ("JWT_JWKS_URL", "http://127.0.0.1.id.example/", "JWT_JWKS_URL: must be like https://"),
            ("JWT_JWKS_URL", "https://u:p@id.example/", "JWT_JWKS_URL: must be like https://"),
            ("JWT_JWKS_URL", "file:///keys", "JWT_JWKS_URL: must be like https://"),
            ("S3_BUCKET_PHOTOS", "b", "set either S3_BUCKET_PHOTOS or PHOTOS_DIR"),
            ("S3_ACCESS_KEY", "k", "S3_ACCESS_KEY and S3_SECRET_KEY go together"),
            ("QUEUE_BACKEND", "sqs", "QUEUE_URL is required with QUEUE_BACKEND=sqs"),
            ("DATABASE_URL", "", "DATABASE_URL (or DB_HOST …) is required"),
            ("PHOTOS_PER_DAY", "many", "PHOTOS_PER_DAY: "),
            ("COMPREFACE_URL", "http://c", "COMPREFACE_URL and COMPREFACE_API_KEY go together"),
            ("COMPREFACE_URL", "c:8000", "COMPREFACE_URL: must be like http://"),
            ("COMPREFACE_URL", "http://c:99999", "COMPREFACE_URL: Port out of range"),
            ("COMPREFACE_API_KEY", "secret", "COMPREFACE_API_KEY: must be a UUID"),
        ],
    )
    def test_a_wrong_setting_is_named(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
    ) -> None:
        with pytest.raises(ConfigError, match=re.escape(words)):
            self.read(monkeypatch, **{name: value})

    @pytest.mark.parametrize(
        "url", ["https://id.example/k", "http://127.0.0.1:9/k", "http://[::1]/"]
    )
    def test_an_issuers_keys_need_issuer_and_audience(
        self, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        keys = {"JWT_SECRET": "", "JWT_JWKS_URL": url, "FILE_KEY_SECRET": SECRET}
        claims = {"JWT_ISSUER": "https://id.example", "JWT_AUDIENCE": "photogate"}
        for name in claims:
            with pytest.raises(ConfigError, match="JWT_ISSUER and JWT_AUDIENCE are required"):
                self.read(monkeypatch, **keys, **{**claims, name: ""})
        assert self.read(monkeypatch, **keys, **claims).jwt_jwks_url == url

    @pytest.mark.parametrize(
        ("value", "networks"),
        [("", ""), ("127.0.0.1", "127.0.0.1/32"), ("10.1.2.3/8, ::1", "10.0.0.0/8,::1/128")],
    )
    def test_proxies_are_networks(
        self, monkeypatch: pytest.MonkeyPatch, value: str, networks: str
    ) -> None:
        monkeypatch.setenv("TRUSTED_PROXIES", value)
        assert s.read(s.ServeSettings).trusted_proxies == networks

    @pytest.mark.parametrize("value", ["*", "proxy.example", "0.0.0.0/0", "::/0", "127.0.0.1/40"])
    def test_not_everybody_is_a_proxy(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("TRUSTED_PROXIES", value)
        with pytest.raises(ConfigError, match="TRUSTED_PROXIES: must "):
            s.read(s.ServeSettings)

    def test_secrets_do_not_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert SECRET not in repr(self.read(monkeypatch))

    def test_the_page_lists_the_settings_that_a_stack_keeps(self) -> None:
        page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.M)) == s.setting_names()

    @pytest.mark.parametrize(
        "model", [s.UploadSettings, s.AdminSettings, s.ModerateSettings, s.SweepSettings]
    )
    def test_every_setting_stands_on_the_page(self, model: type[s.DatabaseSettings]) -> None:
        page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
        for name, field in model.model_fields.items():
            assert f"`{name.upper()}`" in page, f"{name.upper()} is not in docs/settings.md"
            assert field.description
