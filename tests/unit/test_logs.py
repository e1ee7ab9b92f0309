"""Reading structured logs and embedded metrics back."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.logs import LogFilter, read_events, read_metrics, since
from photogate.errors import ConfigError
from photogate.telemetry import LOGGERS, correlate, correlation_id, emit, make_logger


def line(minute: int, **members: object) -> str:
    return json.dumps({"timestamp": f"2026-11-23T12:{minute:02}:00.000+00:00", **members})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of three events among other people's lines."""
    path = tmp_path / "worker.log"
    path.write_text(
        "\n".join(
            [
                line(2, message="photo moderated", batch_id="b-22", user_id="u", status="rejected"),
                "Traceback (most recent call last):",
                "{not json",
                line(1, message="request", batch_id="b-11", user_id="v", status=503),
                line(3, message="started"),
                '{"no": "time"}',
            ]
        )
    )
    return path


@pytest.mark.parametrize(
    ("wanted", "minutes"),
    [
        (LogFilter(), [1, 2, 3]),
        (LogFilter(batch="b-2"), [2]),
        (LogFilter(user="v"), [1]),
        (LogFilter(status="503"), [1]),
        (LogFilter(status="rejected", user="u"), [2]),
        (LogFilter(status="rejected", user="v"), []),
        (LogFilter(since=datetime(2026, 11, 23, 12, 2, tzinfo=UTC)), [2, 3]),
    ],
)
def test_events_are_filtered_and_in_order(log: Path, wanted: LogFilter, minutes: list[int]) -> None:
    assert [event["time"].minute for event in read_events([log], wanted)] == minutes


def test_what_is_logged_and_emitted_can_be_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED")
    # Else later tests of this process would log to what capsys closes.
    for name in LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    logger = make_logger("test-of-telemetry")
    correlate("from-the-caller")
    logger.info("photo moderated", batch_id="b", status="approved")
    for milliseconds in (10, 20, 30):
        emit("moderate", counts={"Photos": 1}, milliseconds={"PhotoDuration": milliseconds})
    correlation_id.set(None)
    path = tmp_path / "all.log"
    path.write_text(capsys.readouterr().out)

    (event,) = read_events([path], LogFilter(batch="b"))
    assert event["correlation_id"] == "from-the-caller"
    assert event["service"] == "test-of-telemetry"
    photos, duration = sorted(read_metrics([path], after=None), key=lambda m: m.unit)
    assert (photos.name, sum(photos.values), photos.dimensions) == ("Photos", 3, "service=moderate")
    assert (duration.percentile(0.5), max(duration.values)) == (20, 30)
    assert read_metrics([path], after=datetime.now(UTC) + timedelta(hours=1)) == []


@pytest.mark.parametrize("offered", [None, "", "short", "with space inside", "a" * 129, "ü" * 10])
def test_an_id_that_is_not_fit_for_a_log_is_replaced(offered: str | None) -> None:
    assert correlate(offered, "the-gateways-id") == "the-gateways-id"
    assert len(correlate(offered)) == 36
    correlation_id.set(None)


def test_times_are_read_as_people_write_them() -> None:
    now = datetime.now(UTC)
    moment = since("15m")
    assert moment is not None
    assert timedelta(minutes=14) < now - moment < timedelta(minutes=16)
    assert since("2026-11-23T12:00:00+00:00") == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert since(None) is None
    with pytest.raises(ConfigError, match="--since"):
        since("yesterday")
