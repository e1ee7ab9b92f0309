"""A burst of photos at a queue with a bounded number of functions, second by second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.aws.prices import LIMITS

#: Lambda begins with so many functions for a queue.
_FIRST = 5
#: Of the time of one photo: standard deviation over mean, as large photos take longer.
_SPREAD = 0.8
#: A message that is older is gone; the sweep sends its job again.
KEPT_S = 4 * 86_400


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How the queue was at the end of one second."""

    second: int
    waiting: int
    #: Of the photo that is next, in seconds; 0 when none waits.
    age_s: float
    functions: int


def simulate(
    *, photos: int, within_s: int, each_ms: float, at_most: int, seed: int
) -> list[Moment]:
    """Let photos come at random within a time, and give every second until the queue is empty.

    Args:
        photos: how many come, evenly at random.
        within_s: in so many seconds.
        each_ms: how long a function is busy with one of them, on average.
        at_most: functions at once; they grow from a few as fast as Lambda lets them.
        seed: the same gives the same.
    """
    draw = np.random.default_rng(seed)
    arrivals = draw.multinomial(photos, np.full(within_s, 1 / within_s))
    came = np.cumsum(arrivals)
    growth_per_s = LIMITS["growth"].value / 60
    moments: list[Moment] = []
    done, second, functions = 0, 0, float(_FIRST)
    while second < within_s or done < photos:
        arrived = int(came[min(second, within_s - 1)])
        functions = min(float(at_most), functions + growth_per_s)
        busy = int(functions)
        able = busy * 1000 / each_ms
        # The sum of independent times is nearly normal.
        able = max(0.0, draw.normal(able, _SPREAD * able**0.5))
        done = min(arrived, done + round(able))
        # The next photo is the one after those that are done: first in, first out.
        next_came = int(np.searchsorted(came, done, side="right"))
        age_s = float(second - next_came) if done < arrived else 0.0
        moments.append(
            Moment(second=second, waiting=arrived - done, age_s=max(0.0, age_s), functions=busy)
        )
        second += 1
    return moments


def shown(moments: list[Moment], count: int) -> list[Moment]:
    """Give so many moments, evenly, with the last one and the one of the greatest age."""
    places = {round(i) for i in np.linspace(0, len(moments) - 1, count)}
    places.add(max(range(len(moments)), key=lambda i: moments[i].age_s))
    return [moments[place] for place in sorted(places)]
