"""Incidents are told once, over each way, and over once; a way that fails stops nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.alerts.bounds import FIRST_STEPS, Found
from local.alerts.incidents import LOOKS, MOST_ATTEMPTS, Alert, Incidents
from local.alerts.watch import Watch
from local.alerts.ways import CommandWay, TelegramWay, Told, WebhookWay
from photogate import settings as s
from photogate.adapters.channels.telegram import TelegramChannel
from photogate.errors import ConfigError
from tests.receivers import Answer, Receiver
from tests.servers import eventually
from tests.telegram import TOKEN, bot_api

ROOT = Path(__file__).parents[2]
PLACE = "http://127.0.0.1:8000"
ALERT = Alert(
    name="workers",
    state="raised",
    says="no worker announces itself; 1 should",
    first="photogate doctor",
    since="2026-11-30T08:00:00+00:00",
    at="2026-11-30T08:02:00+00:00",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A chat program's incoming webhook."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


class Recorder:
    """A way that remembers, and fails as long as it is told to."""

    def __init__(self, name: str = "recorder") -> None:
        self.name = name
        self.told: list[tuple[str, str]] = []
        self.fails = False
        self.tried = 0

    def tell(self, alert: Alert) -> Told:
        self.tried += 1
        if self.fails:
            return Told(ok=False, says="HTTP 500")
        self.told.append((alert.name, alert.state))
        return Told(ok=True, says="HTTP 200")

    def stop(self) -> None:
        """Nothing runs."""


class Desk:
    """A watch whose looks a test chooses, and which may be started again."""

    def __init__(self, path: Path | None, *ways: Recorder) -> None:
        self.path, self.ways = path, ways
        self.found: Found = {}
        self.restart()

    def restart(self) -> None:
        self.watch = Watch(self.ways, Incidents(self.path), look=lambda: self.found, every_s=0.01)

    def looks(self, times: int = 1, **found: str | None) -> None:
        self.found = found
        for _ in range(times):
            self.watch.run_once()


RAISED, RECOVERED = ("workers", "raised"), ("workers", "recovered")


class TestIncidents:
    def test_each_is_told_once_and_once_that_it_is_over(self) -> None:
        way = Recorder()
        desk = Desk(None, way)
        desk.looks(workers="none")
        assert way.told == []  # once may be a moment's
        desk.looks(10, workers="none")
        assert way.told == [RAISED]
        desk.looks(workers=None)
        desk.looks(workers="none")  # not over yet
        assert way.told == [RAISED]
        desk.looks(LOOKS, workers=None)
        assert way.told == [RAISED, RECOVERED]
        desk.looks(10, workers=None)
        desk.looks(LOOKS, workers="none")
        assert way.told == [RAISED, RECOVERED, RAISED]

    def test_a_moments_fault_is_not_told(self) -> None:
        way = Recorder()
        desk = Desk(None, way)
        for _ in range(5):
            desk.looks(workers="none")
            desk.looks(workers=None)
        assert way.told == []

    def test_what_cannot_be_asked_is_neither_raised_nor_over(self) -> None:
        way = Recorder()
        desk = Desk(None, way)
        desk.looks(LOOKS, workers="none")
        desk.looks(5, database="away")
        assert way.told == [RAISED, ("database", "raised")]
        desk.looks(LOOKS, database=None, workers=None)
        assert sorted(way.told[2:]) == [("database", "recovered"), RECOVERED]

    def test_a_restart_tells_nothing_again(self, tmp_path: Path) -> None:
        way = Recorder()
        desk = Desk(tmp_path / "alerts.json", way)
        desk.looks(LOOKS, workers="none")
        desk.restart()
        desk.looks(3, workers="none")
        assert way.told == [RAISED]
        desk.restart()
        desk.looks(1, workers=None)
        desk.restart()
        desk.looks(1, workers=None)
        assert way.told == [RAISED, RECOVERED]
        assert json.loads((tmp_path / "alerts.json").read_text()) == {}
        assert (tmp_path / "alerts.json").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"workers": {"since": 1}}', '{"a": 1}'])
    def test_a_damaged_file_is_begun_anew(self, tmp_path: Path, text: str) -> None:
        path, way = tmp_path / "alerts.json", Recorder()
        path.write_text(text)
        Desk(path, way).looks(LOOKS, workers="none")
        assert way.told == [RAISED]
        assert json.loads(path.read_text())["workers"]["told"] == ["recorder"]

    def test_a_file_that_cannot_be_written_stops_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        way = Recorder()
        Desk(tmp_path / "none" / "alerts.json", way).looks(5, workers="none")
        assert way.told == [RAISED]
        assert caplog.text.count("alerts come again after a restart") == 1

    def test_a_way_that_fails_is_tried_again_and_keeps_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, sound = Recorder("broken"), Recorder("sound")
        broken.fails = True
        desk = Desk(None, broken, sound)
        desk.looks(5, workers="none")
        assert (broken.told, sound.told) == ([], [RAISED])
        assert broken.tried == 4
        assert caplog.text.count("not told by broken: HTTP 500") == 1
        broken.fails = False
        desk.looks(3, workers="none")
        assert (broken.told, sound.told) == ([RAISED], [RAISED])
        broken.fails = True
        desk.looks(LOOKS, workers=None)
        broken.fails = False
        desk.looks(1)
        assert broken.told == sound.told == [RAISED, RECOVERED]

    def test_a_way_with_a_fault_of_its_own_silences_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Faulty(Recorder):
            def tell(self, alert: Alert) -> Told:
                raise KeyError(alert.name)

        sound = Recorder("sound")
        Desk(None, Faulty("faulty"), sound).looks(5, workers="none")
        assert sound.told == [RAISED]
        assert caplog.text.count("a fault in telling by faulty") == 1
        assert caplog.text.count("not told by faulty: KeyError") == 1

    def test_what_is_wrong_again_is_not_told_to_be_over(self) -> None:
        way = Recorder()
        desk = Desk(None, way)
        desk.looks(LOOKS, workers="none")
        way.fails = True
        desk.looks(LOOKS, workers=None)
        way.fails = False
        desk.looks(LOOKS + 1, workers="none")
        assert way.told == [RAISED]
        desk.looks(LOOKS, workers=None)
        assert way.told == [RAISED, RECOVERED]

    def test_who_was_told_that_it_is_over_is_not_told_of_a_moment(self) -> None:
        sound, broken = Recorder("sound"), Recorder("broken")
        desk = Desk(None, sound, broken)
        desk.looks(LOOKS, workers="none")
        broken.fails = True
        desk.looks(LOOKS, workers=None)
        desk.looks(1, workers="none")
        assert sound.told == [RAISED, RECOVERED]
        desk.looks(1, workers="none")
        assert sound.told == [RAISED, RECOVERED, RAISED]

    def test_who_never_heard_of_it_does_not_hear_that_it_is_over(self) -> None:
        way = Recorder()
        way.fails = True
        desk = Desk(None, way)
        desk.looks(LOOKS, workers="none")
        way.fails = False
        desk.looks(5, workers=None)
        assert way.told == []

    def test_that_it_is_over_is_not_tried_for_ever(self) -> None:
        way = Recorder()
        desk = Desk(None, way)
        desk.looks(LOOKS, workers="none")
        way.fails = True
        desk.looks(MOST_ATTEMPTS + 10, workers=None)
        assert way.tried == 1 + MOST_ATTEMPTS

    def test_a_look_that_fails_ends_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        looked: list[int] = []

        def look() -> Found:
            looked.append(1)
            if len(looked) == 1:
                raise KeyError("unforeseen")
            return {"workers": "none"}

        way = Recorder()
        watch = Watch([way], Incidents(None), look=look, every_s=0.01)
        watch.start()
        eventually(lambda: way.told == [RAISED])
        watch.stop()
        assert "nothing is looked at for alerts" in caplog.text

    def test_without_a_way_nothing_is_looked_at(self) -> None:
        def look() -> Found:
            raise AssertionError

        watch = Watch([], Incidents(None), look=look, every_s=0.01)
        watch.start()
        watch.stop()


class TestWebhook:
    def test_a_receiver_gets_words_and_members(self, receiver: Receiver) -> None:
        told = WebhookWay(receiver.url, installation=PLACE).tell(ALERT)
        assert told == Told(ok=True, says="HTTP 204")
        (request,) = receiver.taken
        body = json.loads(request.body)
        assert body["text"] == (
            f"Photogate, {PLACE}: ⚠ no worker announces itself; 1 should\nphotogate doctor"
        )
        assert (body["name"], body["state"], body["since"]) == ("workers", "raised", ALERT.since)
        assert body["installation"] == PLACE

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (Answer(status=500), "HTTP 500"),
            (Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}), "HTTP 302"),
            (Answer(then="hang"), "does not answer at http://127.0.0.1:"),
            (Answer(then="drip"), "does not answer at "),
            (Answer(status=200, then="drip_body"), "does not answer at "),
            (Answer(status=200, then="huge"), "answers with more than a megabyte"),
        ],
    )
    def test_one_that_misbehaves(self, receiver: Receiver, answer: Answer, says: str) -> None:
        receiver.answers.append(answer)
        began = time.monotonic()
        told = WebhookWay(receiver.url, installation=PLACE, timeout_s=0.5).tell(ALERT)
        assert not told.ok
        assert told.says.startswith(says)
        assert "hook" not in told.says
        assert time.monotonic() - began < 10

    def test_nobody_there(self) -> None:
        way = WebhookWay("http://127.0.0.1:1/hooks/secret-path", installation=PLACE)
        told = way.tell(ALERT)
        assert not told.ok
        assert "refused" in told.says
        assert "secret-path" not in told.says


def test_a_telegram_chat() -> None:
    with bot_api(4711) as api:
        channel = TelegramChannel(TOKEN, words=lambda *_: "", api_url=api.url)
        way = TelegramWay(channel, "4711", installation=PLACE)
        assert way.tell(ALERT) == Told(ok=True, says="taken")
        assert "⚠ no worker announces itself" in api.texts(4711)[0]
        stranger = TelegramWay(channel, "1", installation=PLACE).tell(ALERT)
        assert (stranger.ok, "chat not found" in stranger.says) == (False, True)
        channel.close()


class TestCommand:
    def run(self, *words: str, within_s: float = 20.0) -> Told:
        way = CommandWay(shlex.join(words), installation=PLACE, within_s=within_s)
        return way.tell(ALERT)

    def test_it_gets_the_text_and_no_secrets(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("JWT_SECRET", "AWS_SECRET_ACCESS_KEY", "GRAFANA_PASSWORD"):
            monkeypatch.setenv(name, "of-ours")
        place = tmp_path / "told"
        script = (
            f"cat > {place}; echo $PHOTOGATE_ALERT $PHOTOGATE_ALERT_STATE"
            f" [$JWT_SECRET$AWS_SECRET_ACCESS_KEY$GRAFANA_PASSWORD] >> {place}"
        )
        assert self.run("sh", "-c", script) == Told(ok=True, says="status 0")
        assert place.read_text().splitlines() == [
            f"Photogate, {PLACE}: ⚠ no worker announces itself; 1 should",
            "photogate doctor",
            "workers raised []",
        ]

    def test_what_fails_says_why(self) -> None:
        told = self.run("sh", "-c", "echo no route >&2; exit 3")
        assert told == Told(ok=False, says="status 3: no route")
        assert self.run("true") == Told(ok=True, says="status 0")  # which reads nothing
        told = self.run("/no/such/program")
        assert (told.ok, "cannot be started" in told.says) == (False, True)

    def test_one_that_hangs_is_ended_with_all_that_it_started(self, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        script = f"sleep 600 & echo $! > {pids}; trap '' TERM; sleep 600"
        began = time.monotonic()
        told = self.run("sh", "-c", script, within_s=0.5)
        assert told == Told(ok=False, says="it was ended after 0.5 s")
        assert time.monotonic() - began < 15
        gone(int(pids.read_text()))

    def test_the_end_of_the_process_ends_it(self, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        way = CommandWay(f"sh -c 'echo $$ > {pids}; sleep 600'", installation=PLACE)
        watch = Watch([way], Incidents(None), look=lambda: {"workers": "none"}, every_s=0.01)
        watch.start()
        eventually(lambda: pids.exists() and pids.read_text().strip())
        watch.stop()
        gone(int(pids.read_text()))
        way.stop()


def gone(pid: int) -> None:
    """Wait until a process is no more, or only its parent has yet to notice."""

    def is_gone() -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            if sys.platform == "linux":
                return True
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False
        return stat.rpartition(")")[2].split()[0] == "Z"

    eventually(is_gone)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALERT_WEBHOOK_URL", "chat.example.com/hook-secret", "must be like https://chat"),
        ("ALERT_WEBHOOK_URL", "https://example.com:99999/hook-secret", "must be like https://chat"),
        ("ALERT_WEBHOOK_URL", "https://[::1/hook-secret", "must be like https://chat"),
        ("ALERT_COMMAND", "mail 'unfinished", "cannot be read as a command"),
        ("ALERT_TELEGRAM_CHAT", "4711", "needs TELEGRAM_BOT_TOKEN"),
        ("ALERT_WORKERS", "-1", "greater than or equal to 0"),
    ],
)
def test_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words) as caught:
        s.read(s.AlertSettings)
    assert "hook-secret" not in str(caught.value)


def test_each_alert_has_a_line_on_the_page() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    table = page.partition("\n## Alerts without Prometheus\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z]+)` \|", table, re.M)) == set(FIRST_STEPS)
