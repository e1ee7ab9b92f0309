"""The arithmetic of ``python -m bench.aws``, and that its limits are those of the template."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.aws import burst, cost, measure
from bench.aws.__main__ import alarm_metrics
from bench.aws.prices import LIMITS, PRICES
from tests.unit.test_template import resources, template, walk

pytestmark = pytest.mark.quick

#: Round numbers, for reckoning in the head: 100 ms of work, waiting 60 + 8 and 130 + 4 ms.
INPUTS = cost.Inputs(
    judge_ms=100, copy_ms=50, copies_bytes=1e5, original_bytes=1e6, slower=1.0, peak_mb=512
)


class TestMilliseconds:
    def test_less_memory_is_less_processor_and_waiting_stays(self) -> None:
        assert cost.duration_ms(100, 50, 1769, slower=1.0) == 150
        assert cost.duration_ms(100, 50, 1769 / 2, slower=1.0) == 250
        assert cost.duration_ms(100, 50, 1769 * 2, slower=1.0) == 150  # one thread
        assert cost.duration_ms(100, 50, 1769, slower=1.5) == 200

    def test_the_waiting_of_a_photo(self) -> None:
        assert INPUTS.judge_wait_ms == pytest.approx(25 + 35 + 8)
        assert INPUTS.copy_wait_ms == pytest.approx(25 + 3 * 35 + 4)


class TestMoney:
    def test_compute(self) -> None:
        # a million times a second and a GB
        assert cost.compute_usd(1000, 1024, 1e6) == pytest.approx(16.6667)
        # 2 USD are 120,000 GB-seconds
        assert cost.compute_usd(120, 1024, 1e6) == pytest.approx(2.0, rel=1e-4)

    def test_work_alone_costs_the_same_at_any_size_and_waiting_more_at_larger_ones(self) -> None:
        def work(mb: float) -> float:
            return cost.compute_usd(cost.duration_ms(100, 0, mb, slower=1), mb, 1)

        assert work(512) == pytest.approx(work(1769))
        assert work(3538) == pytest.approx(2 * work(1769))
        assert cost.cheapest_mb(INPUTS) == 768
        assert cost.cheapest_mb(replace(INPUTS, peak_mb=1000)) == 1024

    def test_the_bill_grows_with_photos_and_counts_every_part(self) -> None:
        one, ten = (cost.bill(INPUTS, photos, 1769) for photos in (1e6, 1e7))
        assert all(ten[part] == pytest.approx(10 * one[part]) for part in one)
        # 5 PUTs, 3 reads; 2 requests; 2 jobs of 3 photos with 3 requests each
        assert one["S3 requests"] == pytest.approx(5 * 5.0 + 3 * 0.4)
        assert one["HTTP API"] == pytest.approx(2.0)
        assert one["SQS"] == pytest.approx(0.8)
        assert one["originals, a month"] == pytest.approx(23.0)
        half = replace(INPUTS, originals_days=15)
        assert cost.bill(half, 1e6, 1769)["originals, a month"] == pytest.approx(11.5)

    def test_the_alarms_are_those_of_the_template(self) -> None:
        always = [
            alarm
            for name, alarm in resources("AWS::CloudWatch::Alarm").items()
            if "Condition" not in template()["Resources"][name]
        ]
        watched = [p for _, p in walk(always) if isinstance(p, dict) and "MetricName" in p]
        assert alarm_metrics() == len(watched)
        assert cost.fixed(20)["alarms"] == pytest.approx(2.0)

    def test_every_price_says_where_it_is_from_and_that_nobody_looked(self) -> None:
        for price in PRICES.values():
            assert price.source.startswith("aws.amazon.com/")
            assert price.date
            assert not price.verified
        for limit in LIMITS.values():
            assert limit.source == "template.yaml" or "(unverified)" in limit.source


class TestNeeds:
    def test_functions_at_once_are_rate_times_time(self) -> None:
        # 168 + 184 ms of moderate, two requests of 100 ms
        found = cost.need(INPUTS, 100, 1769)
        assert (found.moderate, found.upload) == (36, 20)
        assert found.connections == 36 + 20 + 14
        assert (found.puts_per_s, found.requests_per_s) == (300, 200)

    def test_what_breaks_first(self) -> None:
        found = dict(cost.breaking(INPUTS, 1769))
        assert found["ThrottlingRate"] == pytest.approx(25)
        assert found["ModerateConcurrency"] == pytest.approx(10 / 0.352, rel=0.01)
        assert found["UploadConcurrency"] == pytest.approx(200)
        assert found["copies/"] == pytest.approx(3500 / 3)
        assert next(name for name, _ in cost.breaking(INPUTS, 1769)) == "ThrottlingRate"

    def test_limits_are_those_of_the_template(self) -> None:
        ours = {
            name: limit.value for name, limit in LIMITS.items() if limit.source == "template.yaml"
        }
        defaults = {name: template()["Parameters"][name]["Default"] for name in ours}
        assert ours == defaults
        assert template()["Parameters"]["DatabaseMaxCapacity"]["Default"] == 4


class TestBurst:
    def test_the_same_seed_gives_the_same(self) -> None:
        def run(seed: int) -> list[burst.Moment]:
            return burst.simulate(photos=20_000, within_s=60, each_ms=100, at_most=10, seed=seed)

        assert run(1) == run(1)
        assert run(1) != run(2)

    def test_all_are_done_and_age_is_what_it_has_to_be(self) -> None:
        # 100 a second come for a minute, 50 a second are done: it takes two minutes, and the last
        # one waits for a minute.
        found = burst.simulate(photos=6000, within_s=60, each_ms=100, at_most=5, seed=3)
        assert found[-1].waiting == 0
        assert len(found) == pytest.approx(120, abs=4)
        assert max(m.waiting for m in found) == pytest.approx(3000, rel=0.05)
        assert max(m.age_s for m in found) == pytest.approx(60, abs=4)
        assert max(m.functions for m in found) == 5

    def test_with_enough_functions_nothing_waits(self) -> None:
        found = burst.simulate(photos=600, within_s=600, each_ms=100, at_most=100, seed=1)
        assert max(m.age_s for m in found) <= 1
        assert len(found) == 600

    def test_functions_grow_no_faster_than_lambda_lets_them(self) -> None:
        found = burst.simulate(photos=500_000, within_s=10, each_ms=1000, at_most=1000, seed=1)
        assert found[59].functions == 305
        assert [m.functions for m in found][-1] <= 1000

    def test_the_oldest_is_shown(self) -> None:
        found = burst.simulate(photos=6000, within_s=60, each_ms=100, at_most=5, seed=3)
        told = burst.shown(found, 4)
        assert max(m.age_s for m in told) == max(m.age_s for m in found)
        assert (told[0].second, told[-1].second) == (0, found[-1].second)


class TestInputs:
    def test_a_file_that_was_measured_elsewhere(self, tmp_path: Path) -> None:
        file = tmp_path / "measured.json"
        values = {"judge_ms": 80, "copy_ms": 90, "copies_bytes": 1e5, "original_bytes": 2e6}
        file.write_text(json.dumps(values | {"slower": 1}))
        assert measure.read(file).judge_ms == 80
        for wrong, said in (
            ({"judge": 1}, "judge: known are"),
            ({"judge_ms": "fast"}, "judge_ms must be a number"),
            ({"judge_ms": 1}, "missing"),
        ):
            file.write_text(json.dumps(wrong))
            with pytest.raises(SystemExit, match=said):
                measure.read(file)
