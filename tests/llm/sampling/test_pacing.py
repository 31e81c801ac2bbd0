"""The pace of requests against limits of many kinds, on a clock that is not waited for."""

import asyncio
import datetime
import email.utils
import itertools
import random
import statistics
import time
import types

import pytest

from hotmess_jax.llm.sampling import pacing
from hotmess_jax.llm.sampling.pacing import Pace, PatienceError, backoff_s, hold_s, retry_after_s


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to when something happens next."""

    def __init__(self):
        super().__init__()
        self.now, select = 1_000.0, self._selector.select

        def jump(timeout):
            events = select(0)
            if not events and timeout:
                self.now += timeout
            return events

        self._selector.select = jump

    def time(self):
        return self.now


class Limit:
    """A server that limits as `kind` says, and answers after `latency` seconds."""

    def __init__(self, kind, per_s, burst=1, latency=0.05, told=1.0):
        self.kind, self.per_s, self.burst, self.latency, self.told = kind, per_s, burst, latency, told
        self.tokens, self.last, self.begun, self.count = burst, None, None, 0
        self.refused = self.inside = 0

    def takes(self, now):
        if self.kind == "window":  # `burst` in each window of burst / per_s
            if self.begun is None or now >= self.begun + self.burst / self.per_s:
                self.begun, self.count = now, 0
            self.count += 1
            return self.count <= self.burst
        if self.kind == "at once":
            return self.inside < self.burst
        self.last = now if self.last is None else self.last
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.per_s)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    async def ask(self, now):
        await asyncio.sleep(0.01)
        if not self.takes(now()):
            self.refused += 1
            return False
        self.inside += 1
        await asyncio.sleep(self.latency)
        self.inside -= 1
        return True

    def shortest(self, requests):
        if self.kind == "window":
            return (requests - 1) // self.burst * self.burst / self.per_s
        if self.kind == "at once":
            return requests / self.burst * (self.latency + 0.01)
        return (requests - self.burst) / self.per_s


class Accidents(Limit):
    """A server that refuses every so many, whatever the rate."""

    def takes(self, now):
        self.count += 1
        return self.count % self.burst != 0

    def shortest(self, requests):
        return requests * (self.latency + 0.01) / 64


async def nobody():
    return None


def asked(limit, requests, workers, monkeypatch, patience_s=1_800.0):
    """Return how long all requests took, and the pace."""
    loop = Clock()
    monkeypatch.setattr(pacing, "time", types.SimpleNamespace(monotonic=loop.time, time=time.time))
    random.seed(0)

    async def main():
        pace, left = Pace(patience_s), iter(range(requests))

        async def worker():
            for _ in left:
                while True:
                    turn = await pace.turn(nobody)
                    taken = await limit.ask(loop.time)
                    if taken:
                        pace.answered(turn, {})
                        break
                    told = {} if limit.told is None else {"retry-after": str(limit.told)}
                    await asyncio.sleep(pace.told_to_wait(turn, told, "slow down"))

        begun = loop.time()
        await asyncio.gather(*(worker() for _ in range(workers)))
        return loop.time() - begun, pace

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


LIMITS = {
    "500 a minute, window": (Limit, ("window", 500 / 60, 500), 1_200, 64),
    "500 a minute, bucket": (Limit, ("bucket", 500 / 60, 500), 1_200, 64),
    "500 a minute, bucket, 256 workers": (Limit, ("bucket", 500 / 60, 500), 1_200, 256),
    "500 a minute, one by one": (Limit, ("bucket", 500 / 60, 1), 1_200, 64),
    "500 a minute, a few at once": (Limit, ("bucket", 500 / 60, 10), 1_200, 64),
    "500 a minute, untold": (Limit, ("window", 500 / 60, 500, 0.05, None), 1_200, 64),
    "500 a minute, untold, a few at once": (Limit, ("bucket", 500 / 60, 10, 0.05, None), 1_200, 64),
    "500 a minute, slow replies": (Limit, ("bucket", 500 / 60, 500, 30.0), 1_500, 512),
    "20 a minute": (Limit, ("bucket", 20 / 60, 5, 2.0, 3.0), 200, 64),
    "100 a second": (Limit, ("bucket", 100, 100), 2_000, 64),
    "every thirtieth by accident": (Accidents, ("", 0, 30, 2.0), 6_000, 64),
    "8 at once": (Limit, ("at once", 0, 8, 2.0), 800, 64),
}


FAST = {
    "window": (Limit, ("window", 5, 40), 100, 8),
    "one by one": (Limit, ("bucket", 5, 1), 300, 8),
    "untold": (Limit, ("bucket", 5, 20, 0.05, None), 80, 8),
    "by accident": (Accidents, ("", 0, 30, 2.0), 400, 64),
}


@pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in LIMITS)]
)
def test_all_arrive_in_little_more_than_the_limit_allows(name, monkeypatch):
    kind, arguments, requests, workers = (FAST | LIMITS)[name]
    limit = kind(*arguments)
    took, pace = asked(limit, requests, workers, monkeypatch)
    own = limit.shortest(requests)
    print(
        f"{name}: {took:.0f} s, the limit's own {own:.0f} s, {limit.refused} refused in {pace.limits} waits"
    )
    # A short run is told to wait before it has learnt the rate.
    assert took < 1.3 * own + limit.latency + (6 if name in FAST else 0)
    assert limit.refused < 0.75 * requests


def test_one_request_finds_out_whether_anybody_is_there(monkeypatch):
    loop = Clock()
    monkeypatch.setattr(pacing, "time", types.SimpleNamespace(monotonic=loop.time, time=time.time))

    def during(away_s, patience_s):
        probes, back = [], loop.time() + 10 + away_s

        async def alive():
            probes.append(loop.time())
            return None if loop.time() > back else "HTTP 503: loading"

        async def main():
            pace, sent, left = Pace(float(patience_s)), [], iter(range(400))

            async def worker():
                for _ in left:
                    while True:
                        turn = await pace.turn(alive)
                        sent.append(loop.time())
                        await asyncio.sleep(1.0)
                        if not back - away_s < loop.time() <= back:
                            pace.answered(turn, {})
                            break
                        pace.failed(turn, True, "HTTP 503: loading")

            await asyncio.gather(*(worker() for _ in range(16)))
            assert pace.outages == 1 and not pace.said()
            return sent

        return probes, loop.run_until_complete(main()), back

    probes, sent, back = during(300, 1_800)
    # All of the first wave fail; from then on one at a time, and never longer apart than half a minute.
    assert sum(back - 300 < at <= back for at in sent) <= 2 * 16
    assert 10 <= len(probes) < 20 and max(b - a for a, b in itertools.pairwise(probes)) <= 30
    assert min(at for at in sent if at > back) - back < 31
    with pytest.raises(PatienceError, match=r"is away for 1\.\d+ min: HTTP 503: loading"):
        during(300, 60)
    loop.close()


def test_a_wait_longer_than_the_patience_ends_at_once(monkeypatch):
    async def main():
        pace = Pace(60.0)
        pace.told_to_wait(await pace.turn(nobody), {"retry-after": "7200"}, "HTTP 429: tomorrow")
        await pace.turn(nobody)

    with pytest.raises(PatienceError, match=r"tells to wait 1\d\d min: HTTP 429: tomorrow"):
        asyncio.run(main())


def test_what_holds_back_is_said(monkeypatch):
    async def main():
        pace = Pace()
        assert pace.said() == ""
        for _ in range(3):
            pace.answered(await pace.turn(nobody), {})
        assert 30 <= pace.told_to_wait(await pace.turn(nobody), {"retry-after": "30"}, "slow") <= 33
        assert pace.said() == ""  # one waits by itself
        for _ in range(3):
            pace.told_to_wait(await pace.turn(nobody), {"retry-after": "30"}, "slow")
        return pace.said()

    assert asyncio.run(main()).startswith(
        "the endpoint limits: 3 requests in the last minute, told to wait 3"
    )


REQUESTS = "x-ratelimit-requests-"  # and with the words the other way round


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after": "100", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": email.utils.formatdate(time.time() + 3_600, usegmt=True)}, 3_600),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({}, None),
        # OpenAI's and Groq's; a bucket of 500 has one again after a 500th of what it takes to fill.
        ({REQUESTS + "remaining": "0", REQUESTS + "reset": "1m0s", REQUESTS + "limit": "500"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"}, 7.66),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1m0s"}, None),
        # OpenRouter's, in milliseconds since 1970; Anthropic's, a date.
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int((time.time() + 3_600) * 1_000))}, 3_600),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": datetime.datetime.fromtimestamp(
                    time.time() + 3_600, datetime.UTC
                ).isoformat(),
            },
            3_600,
        ),
    ],
)  # fmt: skip
def test_how_long_headers_ask_to_wait(headers, seconds):
    asked = retry_after_s(headers)
    assert asked == (
        None if seconds is None else pytest.approx(seconds, abs=600 if seconds > 1_000 else 1e-9)
    )
    assert hold_s({}) is None


def test_the_time_between_attempts_doubles():
    waits = [statistics.mean(backoff_s(attempt, 60.0) for _ in range(2_000)) for attempt in (1, 4, 8)]
    # Half of 0.5 · 2^(attempt − 1), at most 60 s, on average.
    assert waits == pytest.approx([0.25, 2.0, 30.0], rel=0.1)
    assert backoff_s(10_000, 60.0) <= 60
