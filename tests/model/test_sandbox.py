"""A photo that crashes, hangs or exhausts its decoder costs itself, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import psutil
import pytest

from local.samples import jpeg, photograph
from photogate.domain import Deadline
from photogate.errors import DecoderFailed, OutOfTime, PhotoRefused, RetryableError
from photogate_vision.decoding.decode import decode
from photogate_vision.decoding.sandbox import MEMORY_BYTES, Sandbox
from tests.model.files import (
    ANIMATED,
    FORMATS,
    HEIC,
    animation,
    display_p3,
    encoded,
    good,
    tagged,
)
from tests.servers import eventually

ODD = "tests.model.odd_decoders:obey"
ROOT = Path(__file__).parents[2]

OWNER = """
import sys, time
import psutil
from photogate_vision.decoding.sandbox import Sandbox

sandbox = Sandbox(decoder=sys.argv[1], time_limit_s=3)
sandbox.decode(b"do nothing")
print(psutil.Process().children()[0].pid, flush=True)
sandbox.decode(sys.argv[2].encode())
time.sleep(600)
"""


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(photograph("coffee.png"))


@pytest.fixture(autouse=True)
def of_others() -> set[int]:
    """Decoders of this process that tests of other files keep running."""
    return children()


@pytest.fixture
def shipped() -> Iterator[Sandbox]:
    """As it is used."""
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def odd() -> Iterator[Sandbox]:
    """Runs what the bytes say."""
    sandbox = Sandbox(decoder=ODD, time_limit_s=2.0)
    yield sandbox
    sandbox.close()


def told(sandbox: Sandbox, what: str) -> object:
    """Ask a child about itself."""
    with pytest.raises(PhotoRefused) as caught:
        sandbox.decode(f"do {what}".encode())
    return json.loads(str(caught.value))


def children() -> set[int]:
    """Give the decoders of this process."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any("decoding.process" in part for part in child.cmdline()):
                found.add(child.pid)
    return found


class TestLikeDecode:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_pictures_are_the_same(self, shipped: Sandbox, kind: str) -> None:
        data = good(photograph("coffee.png"), kind)
        (here,), (there,) = decode(data), shipped.decode(data)
        assert there.image.tobytes() == here.image.tobytes()
        assert (there.size, there.width, there.height) == (here.size, here.width, here.height)
        assert (there.format, there.frames, there.frame) == (here.format, 1, None)

    @pytest.mark.parametrize("kind", ["JPEG", "AVIF", *(("HEIF",) if HEIC else ())])
    def test_what_needs_more_modules_is_read_as_well(self, shipped: Sandbox, kind: str) -> None:
        turned = tagged(photograph("coffee.png"), kind, 6)
        wide = good(photograph("coffee.png"), kind, icc_profile=display_p3())
        for data in (turned, wide):
            assert shipped.decode(data)[0].image.tobytes() == decode(data)[0].image.tobytes()

    def test_so_are_several_pictures_in_one_file(self, shipped: Sandbox) -> None:
        pair = [photograph("coffee.png"), photograph("chelsea.png")]
        data = encoded(pair[0], "MPO", save_all=True, append_images=pair[1:])
        assert shipped.decode(data)[0].image.tobytes() == decode(data)[0].image.tobytes()

    @pytest.mark.parametrize("kind", ANIMATED)
    def test_so_are_frames(self, shipped: Sandbox, kind: str) -> None:
        frames = [photograph("chelsea.png").rotate(angle) for angle in range(12)]
        data = animation(frames, kind)
        here, there = decode(data), shipped.decode(data)
        assert len(there) == 12
        assert [picture.frame for picture in there] == [picture.frame for picture in here]
        assert [p.image.tobytes() for p in there] == [p.image.tobytes() for p in here]

    def test_a_file_beyond_what_is_shared_is_taken_all_the_same(self, shipped: Sandbox) -> None:
        large = good(photograph("coffee.png"), "JPEG") + bytes(150_000_000)
        (picture,) = shipped.decode(large)
        assert picture.width == 600
        (picture,) = shipped.decode(good(photograph("chelsea.png"), "PNG"))
        assert picture.width == 451


class TestDeath:
    """Each costs its photo; the next one is decoded."""

    @pytest.mark.parametrize(
        ("what", "words"),
        [
            ("crash", "its decoder crashed (SIGSEGV)"),
            ("exit", "its decoder crashed (exit 7)"),
            ("allocate", "its decoder ran out of memory"),
            ("spin", "its decoder took longer than 2 s"),
            ("sleep", "its decoder took longer than 2 s"),
        ],
    )
    def test_a_photo_that_kills_its_decoder(
        self, odd: Sandbox, photo: bytes, what: str, words: str, of_others: set[int]
    ) -> None:
        before = told(odd, "pid")
        with pytest.raises(DecoderFailed) as caught:
            odd.decode(f"do {what}".encode())
        assert str(caught.value) == words
        assert len(odd.decode(photo)) == 1
        assert told(odd, "pid") != before
        assert len(children() - of_others) == 1

    def test_a_crash_is_tried_once_more(self, odd: Sandbox) -> None:
        before = told(odd, "pid")
        (picture,) = odd.decode(f"do crash-as {before}".encode())
        assert picture.size == (4, 3)
        assert told(odd, "pid") != before

    def test_an_import_that_comes_too_late_is_no_fault_of_the_photo(self, odd: Sandbox) -> None:
        with pytest.raises(DecoderFailed, match="crashed"):
            odd.decode(b"do import PIL.BlpImagePlugin")

    def test_a_hang_is_not_tried_again(self, odd: Sandbox) -> None:
        # given that the next process would decode it
        before = told(odd, "pid")
        with pytest.raises(DecoderFailed, match="took longer"):
            odd.decode(f"do sleep-as {before}".encode())
        assert told(odd, "pid") != before

    def test_an_answer_that_drips_does_not_prolong_it(self) -> None:
        # given that it would be a picture after 20 s
        sandbox = Sandbox(decoder=ODD, time_limit_s=0.5)
        with pytest.raises(DecoderFailed, match=r"took longer than 0\.5 s"):
            sandbox.decode(b"do drip")
        sandbox.close()

    def test_the_deadline_ends_it_earlier_and_blames_no_photo(
        self, odd: Sandbox, photo: bytes
    ) -> None:
        before = told(odd, "pid")
        for what in ("sleep", "drip"):
            with pytest.raises(OutOfTime):
                odd.decode(f"do {what}".encode(), Deadline.after(0.3))
        assert told(odd, "pid") != before
        assert len(odd.decode(photo, Deadline.after(30))) == 1

    def test_a_child_that_died_while_idle_costs_no_photo(self, odd: Sandbox, photo: bytes) -> None:
        pid = told(odd, "pid")
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        assert len(odd.decode(photo)) == 1
        assert pid not in children()

    def test_a_fault_of_ours_stays_one(self, odd: Sandbox) -> None:
        pid = told(odd, "pid")
        with pytest.raises(RetryableError, match="a fault of ours"):
            odd.decode(b"do fault")
        assert told(odd, "pid") == pid

    @pytest.mark.parametrize(
        "lie",
        [
            '{"pictures": [{"at": 0}]}',
            '{"pictures": 3}',
            "[]",
            "no JSON",
            '{"refused": "x", "reason": "because"}',
            '{"pictures": [{"at": -4, "size": [1, 1], "width": 1, "height": 1,'
            ' "format": "PNG", "frames": 1, "frame": null}]}',
            '{"pictures": [{"at": 0, "size": [90000, 90000], "width": 1, "height": 1,'
            ' "format": "PNG", "frames": 1, "frame": null}]}',
        ],
    )
    def test_an_answer_without_sense_is_no_answer(self, odd: Sandbox, lie: str) -> None:
        with pytest.raises(DecoderFailed, match="makes no sense"):
            odd.decode(f"do lie {lie}".encode())

    def test_a_decoder_that_does_not_start_is_our_fault(self) -> None:
        sandbox = Sandbox(decoder="tests.model.nothing:decode")
        with pytest.raises(RetryableError, match="no decoder can be started"):
            sandbox.decode(b"x")
        sandbox.close()


class TestConfinement:
    def test_it_gets_no_settings_and_no_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JWT_SECRET", "secret")
        sandbox = Sandbox(decoder=ODD)
        environment = told(sandbox, "environment")
        sandbox.close()
        assert isinstance(environment, dict)
        allowed = {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_CTYPE", "ORT_DISABLE_TELEMETRY"}
        assert {n for n in environment if not n.startswith("MALLOC_")} <= allowed

    def test_it_inherits_no_open_file(self, tmp_path: Path) -> None:
        with (tmp_path / "held").open("w") as held:
            os.set_inheritable(held.fileno(), True)
            sandbox = Sandbox(decoder=ODD)
            files = told(sandbox, "files")
            sandbox.close()
        assert isinstance(files, list)
        # three, the shared memory (twice, as it is mapped), the way back
        assert len(files) == 6

    def test_it_is_limited(self, odd: Sandbox) -> None:
        assert told(odd, "limits") == {
            "CORE": [0, 0],
            "FSIZE": [0, 0],
            "NOFILE": [16, 16],
            "DATA": [MEMORY_BYTES, MEMORY_BYTES],
        }

    def test_it_writes_no_file(self, odd: Sandbox, tmp_path: Path) -> None:
        with pytest.raises(DecoderFailed):
            odd.decode(f"do write {tmp_path / 'file'}".encode())
        assert not any(file.read_bytes() for file in tmp_path.iterdir())

    def test_what_libraries_print_is_no_answer(self, odd: Sandbox) -> None:
        (picture,) = odd.decode(b"do print")
        assert picture.size == (4, 3)


class TestLife:
    def test_one_child_serves_many_photos(self, odd: Sandbox, photo: bytes) -> None:
        pids = set()
        for _ in range(5):
            odd.decode(photo)
            pids.add(told(odd, "pid"))
        assert len(pids) == 1

    def test_photos_at_the_same_time_have_a_child_each(
        self, odd: Sandbox, photo: bytes, of_others: set[int]
    ) -> None:
        together = Barrier(2)

        def work(_: int) -> list[int]:
            together.wait()
            return [odd.decode(photo)[0].width for _ in range(20)]

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(work, range(2))) == [[600] * 20] * 2
        assert len(children() - of_others) <= 2
        odd.close()
        assert not children() - of_others

    def test_it_ends_with_its_owner(self, photo: bytes, of_others: set[int]) -> None:
        sandbox = Sandbox()
        sandbox.decode(photo)
        del sandbox
        assert not children() - of_others

    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "decoding"])
    def test_killing_the_parent_leaves_no_orphan(self, busy: bool) -> None:
        command = [sys.executable, "-c", OWNER, ODD, "do spin" if busy else "do nothing"]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        if busy:
            eventually(lambda: child.cpu_times().user > 0.5)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
