"""What every face detector keeps, and what CompreFace's answers, good and bad, become."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from local.samples import photograph
from photogate.adapters.exchange import Answer
from photogate.adapters.faces_compreface import ComprefaceFaces
from photogate.adapters.faces_compreface.answers import faces_of
from photogate.domain import AgeRange, Deadline
from photogate.errors import ConfigError, FacesUnavailable, OutOfTime
from photogate.ports.vision import FaceDetector
from photogate_vision.decoding.decode import Picture
from photogate_vision.faces.detector import EmbeddedFaces
from tests.compreface import AGES, FOREIGN_KEY, KEY, Compreface
from tests.contract.conftest import Fault, FaultyServer, answer, black_hole

#: The astronaut's face, in shares of the photograph.
FACE = (174 / 512, 74 / 512, 276 / 512, 178 / 512)
TIMEOUT_S = 0.5
#: How long a server drips that is waited for.
DRIPPING_S = 20.0


def shown(image: Image.Image) -> Picture:
    """Give a picture as decoding would."""
    return Picture(image=image, width=image.width, height=image.height, format="PNG", frames=1)


@pytest.fixture(scope="module")
def embedded(faces_bundle: Path) -> EmbeddedFaces:
    return EmbeddedFaces(faces_bundle)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return photograph("astronaut.png")


@pytest.fixture
def service(embedded: EmbeddedFaces) -> Compreface:
    return Compreface(embedded)


@pytest.fixture
def compreface(service: Compreface) -> Iterator[ComprefaceFaces]:
    with service.serve() as url:
        faces = ComprefaceFaces(url, KEY)
        yield faces
        faces.close()


@pytest.fixture(params=["embedded", "compreface"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    found: FaceDetector = request.getfixturevalue(request.param)
    return found


class TestEveryDetector:
    @pytest.mark.parametrize("size", [(512, 512), (2048, 2048), (300, 300), (900, 450)])
    def test_a_face_is_found_in_its_place(
        self, detector: FaceDetector, portrait: Image.Image, size: tuple[int, int]
    ) -> None:
        # given a picture, perhaps larger than what is sent anywhere, or of another shape
        scene = Image.new("RGB", size, "peru")
        side = min(size)
        scene.paste(portrait.resize((side, side)))
        # then its one face lies where it is, in shares of the picture
        (face,) = detector.detect(shown(scene))
        assert 0.7 <= face.score <= 1
        for edge, known, length in zip(face.box, FACE, size * 2, strict=True):
            assert edge == pytest.approx(known * side / length, abs=0.04)

    def test_other_photographs_have_none(self, detector: FaceDetector) -> None:
        for name in ("chelsea.png", "coffee.png"):
            assert detector.detect(shown(photograph(name))) == []

    def test_each_face_counts_the_surest_first(
        self, detector: FaceDetector, portrait: Image.Image
    ) -> None:
        head, group = portrait.crop((125, 25, 325, 225)), photograph("coffee.png")
        for number in range(3):
            group.paste(head.resize((120 + 20 * number,) * 2), (20 + 180 * number, 40))
        faces = detector.detect(shown(group))
        assert len(faces) == 3
        assert all(one.score >= other.score for one, other in pairwise(faces))

    def test_a_face_at_the_border_stays_within_the_picture(
        self, detector: FaceDetector, portrait: Image.Image
    ) -> None:
        cut = portrait.crop((200, 60, 400, 260)).resize((600, 600))
        for face in detector.detect(shown(cut)):
            assert all(0 <= edge <= 1 for edge in face.box)

    def test_it_tells_ages_when_it_says_so(
        self, detector: FaceDetector, portrait: Image.Image
    ) -> None:
        (face,) = detector.detect(shown(portrait))
        assert (face.age is not None) == detector.tells_age

    def test_many_may_ask_at_once(self, detector: FaceDetector, portrait: Image.Image) -> None:
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(detector.detect, [shown(portrait)] * 8))
        assert len(answers[0]) == 1
        assert all(each == answers[0] for each in answers)

    @pytest.mark.parametrize("size", [(1, 1), (30000, 10), (10, 30000)])
    def test_odd_sizes_have_none(self, detector: FaceDetector, size: tuple[int, int]) -> None:
        assert detector.detect(shown(Image.new("RGB", size, "peru"))) == []


class TestCompreface:
    """Against the server that keeps its contract."""

    def test_what_is_sent_is_small(
        self, compreface: ComprefaceFaces, service: Compreface, portrait: Image.Image
    ) -> None:
        compreface.detect(shown(portrait.resize((3000, 2000))))
        assert service.pictures == [(1024, 683)]

    def test_connections_are_used_again(
        self, compreface: ComprefaceFaces, service: Compreface, portrait: Image.Image
    ) -> None:
        for _ in range(5):
            compreface.detect(shown(portrait))
        assert service.requests == 5
        assert len(service.connections) == 1

    @pytest.mark.parametrize("age", AGES)
    def test_an_age_is_a_class_and_no_number(
        self,
        compreface: ComprefaceFaces,
        service: Compreface,
        portrait: Image.Image,
        age: tuple[int, int],
    ) -> None:
        service.ages = [age]
        (face,) = compreface.detect(shown(portrait))
        assert face.age == AgeRange(low=age[0], high=age[1], probability=0.97)

    @pytest.mark.parametrize(
        "age",
        [
            None,
            25,
            "25",
            [25, 32],
            {},
            {"low": 25},
            {"low": 32, "high": 25, "probability": 0.9},
            {"low": 25.5, "high": 32, "probability": 0.9},
            {"low": True, "high": 32, "probability": 0.9},
            {"low": "25", "high": "32", "probability": 0.9},
            {"low": -1, "high": 32, "probability": 0.9},
            {"low": 25, "high": 131, "probability": 0.9},
            {"low": 25, "high": 32, "probability": 1.5},
            {"low": 25, "high": 32, "probability": "high"},
        ],
    )
    def test_an_age_that_makes_no_sense_is_unknown_and_the_face_stays(
        self, compreface: ComprefaceFaces, service: Compreface, portrait: Image.Image, age: Any
    ) -> None:
        service.ages = [age]
        (face,) = compreface.detect(shown(portrait))
        assert face.age is None

    @pytest.mark.parametrize(
        ("key", "words"),
        [
            (FOREIGN_KEY, "does not know the key"),
            ("of-no-shape", "refuses the key as not well formed"),
        ],
    )
    def test_a_wrong_key_says_the_way_out(
        self, service: Compreface, portrait: Image.Image, key: str, words: str
    ) -> None:
        with service.serve() as url:
            faces = ComprefaceFaces(url, key)
            for call in (lambda: faces.detect(shown(portrait)), faces.check):
                with pytest.raises(ConfigError, match=f"{words}.*set COMPREFACE_API_KEY") as said:
                    call()
                assert key not in str(said.value)
            faces.close()

    def test_a_failing_core_is_an_outage(
        self, compreface: ComprefaceFaces, service: Compreface, portrait: Image.Image
    ) -> None:
        service.core = False
        with pytest.raises(FacesUnavailable, match="500: Error during"):
            compreface.detect(shown(portrait))
        service.core = True
        assert len(compreface.detect(shown(portrait))) == 1

    def test_a_probe_tells_the_whole_from_its_core(
        self, compreface: ComprefaceFaces, service: Compreface
    ) -> None:
        told = compreface.check()
        assert (told["kind"], told["core"]) == ("compreface", "reachable")
        service.core = False
        with pytest.raises(FacesUnavailable, match="up, but cannot look at pictures"):
            compreface.check()

    def test_a_revived_service_is_found_again(
        self, service: Compreface, portrait: Image.Image
    ) -> None:
        with service.serve() as url:
            faces = ComprefaceFaces(url, KEY)
            assert len(faces.detect(shown(portrait))) == 1
        for call in (lambda: faces.detect(shown(portrait)), faces.check):
            with pytest.raises(FacesUnavailable, match="refused"):
                call()
        with service.serve(port=int(url.rpartition(":")[2])):
            assert len(faces.detect(shown(portrait))) == 1
        faces.close()


@pytest.fixture
def faulty_faces(faulty: FaultyServer) -> Iterator[ComprefaceFaces]:
    faces = ComprefaceFaces(faulty.url, KEY, timeout_s=TIMEOUT_S)
    yield faces
    faces.close()


PICTURE = shown(Image.new("RGB", (200, 100), "peru"))
BOX = {"probability": 0.99, "x_min": 20, "y_min": 20, "x_max": 60, "y_max": 70}


def result(*faces: object) -> bytes:
    return json.dumps({"result": faces}).encode()


def reply(
    status: HTTPStatus, body: bytes = b"", *, length: int | None = None, **headers: str
) -> bytes:
    """Spell an answer after which the connection ends, as it does here."""
    return answer(status, body, length=length, Connection="close", **headers)


def ok(body: bytes, *, length: int | None = None) -> bytes:
    return reply(HTTPStatus.OK, body, length=length, Content_Type="application/json")


def error(status: HTTPStatus, code: int, message: str = "why") -> bytes:
    return reply(status, json.dumps({"message": message, "code": code}).encode())


GOOD = result({"box": BOX, "age": {"low": 25, "high": 32, "probability": 0.9}})
NO_FACE = "No face is found in the given image"


class TestAnswers:
    """Against a server that says whatever the test wants."""

    def test_a_sound_answer_is_read(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces
    ) -> None:
        faulty.fault = Fault(writes=ok(GOOD))
        (face,) = faulty_faces.detect(PICTURE)
        assert face.box == (0.1, 0.2, 0.3, 0.7)
        assert face.score == 0.99
        assert face.age == AgeRange(low=25, high=32, probability=0.9)

    @pytest.mark.parametrize(
        "writes", [error(HTTPStatus.BAD_REQUEST, 28, NO_FACE), ok(b'{"result": []}')]
    )
    def test_no_face_is_an_outcome(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces, writes: bytes
    ) -> None:
        faulty.fault = Fault(writes=writes)
        for _ in range(5):
            assert faulty_faces.detect(PICTURE) == []

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(),
            Fault(then="reset"),
            Fault(then="stall"),
            Fault(writes=b"SSH-2.0-OpenSSH_9.2\r\n"),
            Fault(writes=b"HTTP/1.1 200 OK\r\nContent-", then="stall"),
            Fault(writes=ok(GOOD[:40], length=len(GOOD))),
            Fault(writes=ok(GOOD[:40], length=len(GOOD)), then="reset"),
            Fault(writes=ok(GOOD[:40], length=len(GOOD)), then="stall"),
            Fault(writes=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Fault(writes=ok(b" " * 1_000_001 + GOOD)),
            Fault(writes=ok(b"", length=10**12), then="stall"),
        ],
        ids=[
            "closed",
            "reset",
            "stalled",
            "no HTTP",
            "half a head",
            "cut short",
            "reset half-way",
            "stalled half-way",
            "no chunk",
            "too large",
            "endless",
        ],
    )
    def test_no_whole_answer_is_an_outage(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces, fault: Fault
    ) -> None:
        faulty.fault = fault
        started = time.monotonic()
        with pytest.raises(FacesUnavailable):
            faulty_faces.detect(PICTURE)
        # the server stalls for 30 s
        assert time.monotonic() - started < 15

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff\xfe\x00",
            b"[" * 100_000,
            b'{"result": null}',
            b'{"result": {}}',
            GOOD[:-1],
            GOOD + b"}",
            result(None),
            result({}),
            result({"box": None}),
            result({"box": BOX}, {"age": {"low": 25, "high": 32}}),
            GOOD.replace(b"0.99", b"NaN"),
            GOOD.replace(b"0.99", b"1e999"),
            GOOD.replace(b"0.99", b"1" * 5000),
            *(
                result({"box": {**BOX, name: value}})
                for name, value in (
                    ("probability", None),
                    ("probability", 1.5),
                    ("probability", -0.1),
                    ("probability", "0.9"),
                    ("probability", True),
                    ("x_min", None),
                    ("x_min", "20"),
                    ("x_min", 60),
                    ("x_min", -300),
                    ("x_max", 10**300),
                    ("y_max", 900),
                    ("y_max", -1),
                )
            ),
        ],
    )
    def test_an_answer_that_makes_no_sense_is_an_outage(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces, body: bytes
    ) -> None:
        faulty.fault = Fault(writes=ok(body))
        with pytest.raises(FacesUnavailable, match=r"^CompreFace.* answer"):
            faulty_faces.detect(PICTURE)

    def test_a_box_that_reaches_out_of_the_picture_is_cut(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces
    ) -> None:
        faulty.fault = Fault(
            writes=ok(result({"box": {**BOX, "x_min": -3, "y_max": 104, "probability": 1.0000001}}))
        )
        (face,) = faulty_faces.detect(PICTURE)
        assert face.box == (0.0, 0.2, 0.3, 1.0)
        assert face.score == 1.0

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (HTTPStatus.BAD_REQUEST, 21),
            (HTTPStatus.BAD_REQUEST, 26),
            (HTTPStatus.BAD_REQUEST, 36),
            (HTTPStatus.BAD_REQUEST, 0),
            (HTTPStatus.INTERNAL_SERVER_ERROR, 41),
            # An outcome only with 400.
            (HTTPStatus.INTERNAL_SERVER_ERROR, 28),
            (HTTPStatus.BAD_GATEWAY, 0),
            (HTTPStatus.SERVICE_UNAVAILABLE, 0),
            (HTTPStatus.TOO_MANY_REQUESTS, 0),
            (HTTPStatus.CREATED, 28),
            (HTTPStatus.NO_CONTENT, 28),
        ],
    )
    def test_other_errors_are_outages(
        self,
        faulty: FaultyServer,
        faulty_faces: ComprefaceFaces,
        status: HTTPStatus,
        code: int,
    ) -> None:
        faulty.fault = Fault(writes=error(status, code))
        with pytest.raises(FacesUnavailable, match=str(status.value)):
            faulty_faces.detect(PICTURE)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("7", 7.0), ("100000", 900.0), ("1" * 50, None), ("soon", None), ("-1", None)],
    )
    @pytest.mark.parametrize(
        "status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE]
    )
    def test_it_says_when_to_come_again(
        self,
        faulty: FaultyServer,
        faulty_faces: ComprefaceFaces,
        status: HTTPStatus,
        header: str,
        seconds: float | None,
    ) -> None:
        faulty.fault = Fault(writes=reply(status, Retry_After=header))
        with pytest.raises(FacesUnavailable) as said:
            faulty_faces.detect(PICTURE)
        assert said.value.retry_after_s == seconds

    @pytest.mark.parametrize(
        ("writes", "setting"),
        [
            (error(HTTPStatus.NOT_FOUND, 46, "model not found"), "COMPREFACE_API_KEY"),
            (error(HTTPStatus.BAD_REQUEST, 20, "header missing"), "COMPREFACE_API_KEY"),
            (reply(HTTPStatus.UNAUTHORIZED), "COMPREFACE_API_KEY"),
            (reply(HTTPStatus.FORBIDDEN, b"<html>"), "COMPREFACE_API_KEY"),
            (reply(HTTPStatus.NOT_FOUND, b"<html>nginx</html>"), "COMPREFACE_URL"),
            (reply(HTTPStatus.NOT_FOUND, b'{"status": 404, "path": "/x"}'), "COMPREFACE_URL"),
            (reply(HTTPStatus.METHOD_NOT_ALLOWED), "COMPREFACE_URL"),
            (reply(HTTPStatus.OK, b"<!doctype html><title>Hi</title>"), "COMPREFACE_URL"),
        ],
    )
    def test_a_wrong_installation_says_the_way_out(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces, writes: bytes, setting: str
    ) -> None:
        faulty.fault = Fault(writes=writes)
        # also as often as an outage would have opened the circuit
        for _ in range(5):
            with pytest.raises(ConfigError, match=setting) as said:
                faulty_faces.detect(PICTURE)
            assert "\n" not in str(said.value)
            assert KEY not in str(said.value)

    def test_a_redirect_is_not_followed(
        self, faulty: FaultyServer, faulty_faces: ComprefaceFaces, service: Compreface
    ) -> None:
        with service.serve() as url:
            faulty.fault = Fault(
                writes=reply(
                    HTTPStatus.TEMPORARY_REDIRECT, Location=f"{url}/api/v1/detection/detect"
                )
            )
            with pytest.raises(ConfigError, match="redirects"):
                faulty_faces.detect(PICTURE)
        assert service.requests == 0

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_no_proxy_of_the_environment_sees_key_or_photo(
        self,
        faulty: FaultyServer,
        compreface: ComprefaceFaces,
        portrait: Image.Image,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        for each in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(each, raising=False)
        monkeypatch.setenv(name, faulty.url)
        assert len(compreface.detect(shown(portrait))) == 1
        assert faulty.bodies == []

    def test_a_password_for_this_host_in_the_home_folder_is_not_sent(
        self,
        compreface: ComprefaceFaces,
        service: Compreface,
        portrait: Image.Image,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        compreface.detect(shown(portrait))
        assert service.authorizations == {None}

    @pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://"])
    def test_an_address_that_is_none_says_so(self, url: str) -> None:
        with pytest.raises(ConfigError, match="COMPREFACE_URL"):
            ComprefaceFaces(url, KEY).detect(PICTURE)

    @pytest.mark.parametrize("part", ["head", "body"])
    def test_bytes_that_drip_do_not_prolong_it(self, part: str) -> None:
        # given a server that sends a byte now and then, for far longer than the timeout
        begin = b"HTTP/1.1 200 OK\r\n" + (b"X-A: " if part == "head" else b"\r\n")
        with dripping(begin) as address:
            faces = ComprefaceFaces(f"http://{address}", KEY, timeout_s=TIMEOUT_S)
            started = time.monotonic()
            # then it is given up, long before the server has sent all
            with pytest.raises(FacesUnavailable):
                faces.detect(PICTURE)
            assert TIMEOUT_S * 0.8 < time.monotonic() - started < DRIPPING_S * 0.8
            faces.close()

    @pytest.mark.parametrize("timeout_s", [0.3, 30.0])
    def test_the_photos_deadline_ends_it_earlier(
        self, faulty: FaultyServer, timeout_s: float
    ) -> None:
        faulty.fault = Fault(then="stall")
        faces = ComprefaceFaces(faulty.url, KEY, timeout_s=timeout_s)
        # It is not blamed for the photo's short time.
        with pytest.raises(FacesUnavailable if timeout_s < 1 else OutOfTime):
            faces.detect(PICTURE, Deadline.after(1.0))
        faces.close()

    def test_so_it_does_while_nothing_answers_at_all(self) -> None:
        with black_hole() as port:
            faces = ComprefaceFaces(f"http://127.0.0.1:{port}", KEY)
            with pytest.raises(OutOfTime):
                faces.detect(PICTURE, Deadline.after(0.2))

    def test_a_handshake_that_drips_does_not_prolong_it(self) -> None:
        # given the head of a TLS record of 16 KiB (RFC 8446, 5.1) that never becomes whole
        with dripping(b"\x16\x03\x03\x40\x00") as address:
            faces = ComprefaceFaces(f"https://{address}", KEY, timeout_s=TIMEOUT_S)
            with pytest.raises(FacesUnavailable, match="not within 2 s"):
                faces.detect(PICTURE)
            faces.close()


@contextmanager
def dripping(begin: bytes) -> Iterator[str]:
    """Answer one connection with this and a byte now and then, for far longer than the timeout.

    Gives its address; holds that the client closed the connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(TIMEOUT_S / 10)
                connection.sendall(begin)
                for _ in range(round(DRIPPING_S / (TIMEOUT_S / 10))):
                    try:
                        if not connection.recv(65536):
                            return
                    except TimeoutError:
                        connection.sendall(b" ")

        dripped = threads.submit(drip)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        assert isinstance(dripped.exception(5), OSError | None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["result", "box", "age", "low", "high", "probability", "x_min", "x_max", "code"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@example(200, {"result": [{"box": None, "age": None}]})
@given(st.sampled_from([200, 400, 404, 500]), json_values)
def test_whatever_it_answers_becomes_faces_none_or_an_error(status: int, document: Any) -> None:
    body = json.dumps(document).encode()
    try:
        faces = faces_of(
            Answer(status=status, body=body, content_type="application/json", retry_after=None),
            width=200,
            height=100,
        )
    except (FacesUnavailable, ConfigError):
        return
    if not faces:
        assert isinstance(document, dict)
        assert document.get("result") == [] or document.get("code") == 28
    for face in faces:
        assert all(0 <= edge <= 1 for edge in face.box)
        assert 0 <= face.score <= 1
