"""How fast an endpoint is asked: all wait together where it says so, and its rate is found."""

import asyncio
import datetime
import email.utils
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

LONGEST_BACKOFF_S = 60.0
# No clock is told apart by less.
LEAST_WAIT_S = 1e-6
# Where a limit does not say how long to wait, one request finds out so often at least.
LONGEST_UNTOLD_S = 10.0
# So many attempts that fail in a row, with no reply in between, ask whether anybody is there.
AWAY_AFTER = 5
# A request that is let through alone, and not refused in this time, lets the others follow.
NOT_REFUSED_S = 1.0
# After a refusal the rate is cut to this share, and comes back along a cubic, as TCP's does.
CUT = 0.85
CUT_AT_ONCE = 0.5
MEASURED_OVER_S = 5.0
ANSWERED_OVER_S = 10.0
BEST_HALVES_IN_S = 600.0
# So many refused of the last so many are a limit, fewer an accident.
REFUSED_OF = (4, 20)
GROWTH_S = (1.0, 15.0)
REQUESTS_A_CYCLE = 40
# What is called a rate is counted over so long.
RATE_OVER_S = 60.0


class PatienceError(Exception):
    """The endpoint is away, or tells to wait, for longer than the run is to wait."""


@dataclass(eq=False)
class Turn:
    """One attempt that was let through."""

    begun: float
    # Whether it went alone, to find out whether others may follow.
    alone: bool = False


class Pace:
    """The pace of all requests to one endpoint.

    It is open at first. Where several are told to wait it closes, for everyone; then one goes alone, and where
    it is not refused the others follow, at a rate that was cut and grows slowly again. Many failures in a
    row close it too, until the endpoint answers a harmless prompt.
    """

    def __init__(self, patience_s: float = 1_800.0) -> None:
        self.limits = 0
        """How often it closed because the endpoint said so."""
        self.outages = 0
        """How often the endpoint was away, and came back."""
        self.patience_s = patience_s
        """How long is waited, for an answer of any request."""
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._not_before = 0.0
        self._closed_since: float | None = None
        self._away = False
        self._alone: Turn | None = None
        self._tries = 0
        self._opened = self._first = time.monotonic()
        # The last rate that was too much, and how long it takes to come back to it.
        self._peak: float | None = None
        self._growth_s = GROWTH_S[0]
        self._best, self._best_at = 0.0, self._opened
        self._slot = 0.0
        self._starts: deque[float] = deque(maxlen=4_096)
        self._replies: deque[float] = deque()
        self._outcomes: deque[bool] = deque(maxlen=REFUSED_OF[1])
        self._failures = 0
        self._reason = ""

    async def turn(self, alive: Callable[[], Awaitable[str | None]]) -> Turn:
        """Wait until another request may begin.

        Args:
            alive: asks a harmless prompt once, and returns what is wrong, None where it is answered.

        Raises:
            PatienceError: where that takes longer than is to be waited.
        """
        async with self._lock:  # first come, first served
            while True:
                now = time.monotonic()
                wait = max(self._not_before, self._slot) - now
                self._check_patience(now, wait)
                if wait > LEAST_WAIT_S:
                    await asyncio.sleep(min(wait, 1.0))
                elif self._away:
                    await self._find_out(alive)
                elif self._closed_since is None:
                    break
                elif self._alone is None:
                    self._alone = Turn(now, alone=True)
                    break
                else:
                    await self._wait_for(self._alone, now)
            turn = self._alone if self._closed_since is not None and self._alone else Turn(now)
            rate = self._rate(now)
            if rate is not None:
                self._slot = now + 1.0 / rate
            if not self._starts:
                self._opened = self._first = self._best_at = now
            self._starts.append(now)
            return turn

    def answered(self, turn: Turn, headers: Mapping[str, str]) -> None:
        """Take in that a request was answered."""
        now = time.monotonic()
        self._failures = 0
        self._outcomes.append(True)
        self._replies.append(now)
        while self._replies[0] < now - RATE_OVER_S:  # this one stays
            self._replies.popleft()
        if turn is self._alone:
            self._open(now)
        if hold := hold_s(headers):
            self._not_before = max(self._not_before, now + hold)

    def told_to_wait(self, turn: Turn, headers: Mapping[str, str], reason: str) -> float:
        """Take in that a request was refused for now, and return how long it is to wait by itself, in seconds.

        One among many that are answered is no limit: it waits alone.
        """
        now = time.monotonic()
        asked = retry_after_s(headers)
        self._outcomes.append(False)
        few = self._outcomes.count(False) < REFUSED_OF[0] and (asked or 0.0) <= self.patience_s
        if turn.begun < self._opened and not turn.alone and self._closed_since is None:
            return 0.0  # it began before the last wait, and says nothing new
        if self._closed_since is None and few:
            pause = backoff_s(1, LONGEST_BACKOFF_S) if asked is None else asked
            return pause * random.uniform(1.0, 1.1)
        if self._closed_since is None:
            self.limits += 1
            self._cut_rate(now)
            self._closed_since, self._tries = now, 0
        elif turn is self._alone:
            self._tries += 1
        if asked is None:
            asked = backoff_s(self._tries + 1, min(LONGEST_BACKOFF_S, LONGEST_UNTOLD_S))
        self._reason = reason
        # Others may share the limit: not all at one moment.
        self._not_before = max(self._not_before, now + asked * random.uniform(1.0, 1.1))
        self.give_up(turn)
        return 0.0

    def failed(self, turn: Turn, gone: bool, reason: str) -> None:
        """Take in that an attempt failed on the endpoint's side.

        Args:
            turn: of the attempt.
            gone: whether it looks as if nobody were there.
            reason: what went wrong.
        """
        self._failures += 1
        self._outcomes.append(True)  # whatever it was, it was no refusal
        self.give_up(turn)
        if self._failures >= AWAY_AFTER and (gone or self._replies):
            self._suspect(reason)

    def doubted(self, since: float, reason: str) -> bool:
        """Tell whether nobody was answered since a moment; then whether anybody is there is found out first."""
        if not self._replies or self._replies[-1] >= since:
            return False
        self._suspect(reason)
        return True

    def give_up(self, turn: Turn) -> None:
        """Take in that an attempt ended otherwise; where it went alone, another does."""
        if turn is self._alone:
            self._alone = None
            self._changed.set()

    def said(self) -> str:
        """Return what holds requests back, "" where nothing does."""
        now = time.monotonic()
        if self._away and self._closed_since is not None and self._tries:
            return f"the endpoint is away for {now - self._closed_since:.0f} s ({self._reason[:60]})"
        rate = self.per_minute()
        limited = f"the endpoint limits: {rate:,} requests in the last minute" if self.limits else ""
        if self._closed_since is not None and (wait := self._not_before - now) > 2:
            return ", ".join(part for part in (limited, f"told to wait {wait:.0f} s") if part)
        return limited

    def per_minute(self) -> int:
        """Return the requests that were answered in the last minute."""
        since = time.monotonic() - RATE_OVER_S
        return sum(reply > since for reply in self._replies)

    def _suspect(self, reason: str) -> None:
        if not self._away:
            self._away, self._reason, self._tries = True, reason, 0
            self._closed_since = self._closed_since or time.monotonic()

    async def _find_out(self, alive: Callable[[], Awaitable[str | None]]) -> None:
        reason = await alive()
        now = time.monotonic()
        if reason is None:
            self.outages += self._tries > 0
            self._open(now)
        else:
            self._tries, self._reason = self._tries + 1, reason
            pause = min(2.0**self._tries, LONGEST_BACKOFF_S / 2, max(self.patience_s / 10, 0.01))
            self._not_before = now + pause * random.uniform(0.75, 1.0)

    async def _wait_for(self, turn: Turn, now: float) -> None:
        """Wait until the one that went alone is answered or refused, or has not been for a while."""
        self._changed.clear()
        try:
            async with asyncio.timeout(max(0.0, turn.begun + NOT_REFUSED_S - now)):
                await self._changed.wait()
        except TimeoutError:
            if turn is self._alone:
                self._open(time.monotonic())

    def _open(self, now: float) -> None:
        self._closed_since, self._alone, self._away = None, None, False
        self._failures, self._opened = 0, now
        self._changed.set()

    def _cut_rate(self, now: float) -> None:
        measured = self._per_second(self._starts, max(self._opened, now - MEASURED_OVER_S), now)
        current = self._rate(now)
        if current is None:
            self._peak = measured
            return
        # Refused at once, it was far too much, or a little: a short time measures nothing.
        soon = now - self._opened < 1.0
        if not soon:
            self._growth_s = min(2 * self._growth_s, GROWTH_S[1])
        peak = CUT_AT_ONCE * current if soon else current
        if not soon and measured < CUT * current:  # less was asked for than was let through
            peak = measured
        # Refusals may have nothing to do with the rate: what was answered once bounds it from below.
        answered = self._per_second(self._replies, max(self._first, now - ANSWERED_OVER_S), now)
        self._best = max(answered, self._best * 0.5 ** ((now - self._best_at) / BEST_HALVES_IN_S))
        self._best_at = now
        self._peak = max(peak, self._best / 2)

    def _per_second(self, moments: Iterable[float], since: float, now: float) -> float:
        return max(sum(moment >= since for moment in moments), 1) / max(now - since, 0.1)

    def _rate(self, now: float) -> float | None:
        """Return the requests a second that are let through, None for any number."""
        if self._peak is None:
            return None
        if self._closed_since is not None:
            return CUT * self._peak
        growth = max(self._growth_s, REQUESTS_A_CYCLE / self._peak if self._growth_s > 5 else 0.0)
        way = (now - self._opened) / growth - 1.0
        return self._peak * (1.0 + (1.0 - CUT) * way**3)

    def _check_patience(self, now: float, wait: float) -> None:
        if self._closed_since is None:
            return
        waited = now - self._closed_since
        if waited > self.patience_s:
            what = "is away" if self._away else "tells to wait"
            raise PatienceError(f"the endpoint {what} for {waited / 60:.3g} min: {self._reason}")
        if wait > self.patience_s:
            raise PatienceError(f"the endpoint tells to wait {wait / 60:.3g} min: {self._reason}")


def backoff_s(attempt: int, longest: float) -> float:
    """Return a random time before another attempt, which doubles on average with each."""
    return random.uniform(0.0, min(longest, 0.5 * 2.0 ** min(attempt - 1, 30)))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long headers ask to wait, in seconds, None where they do not say.

    `retry-after-ms`, `retry-after` (a number or a date), or when the limit that is used up is reset.
    Nothing, or a time that has passed, is no time to wait.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None and milliseconds > 0:
        return milliseconds / 1_000.0
    text = headers.get("retry-after")
    if text is not None and (asked := _span_s(text)) is not None and asked > 0:
        return asked
    return hold_s(headers)


def hold_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a reply's headers say that no request is left, None where they do not."""
    spans = []
    for prefix in ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit-"):
        for what in ("-requests", "-tokens", "-input-tokens", "-output-tokens", ""):
            left, reset, most = (
                _field(headers, prefix, name, what) for name in ("remaining", "reset", "limit")
            )
            if (number := _number(left)) is None or number > 0 or reset is None:
                continue
            span = _span_s(reset)
            if span is None or span <= 0:
                continue
            # A bucket that fills all the time has one request again long before it is full; where it is a
            # window, the one that comes too early is told so.
            limit = _number(most) or 1.0
            spans.append(max(span / limit, 0.05) if what == "-requests" else span)
    return max(spans) if spans else None


def _field(headers: Mapping[str, str], prefix: str, name: str, what: str) -> str | None:
    return headers.get(f"{prefix}{name}{what}") or headers.get(f"{prefix}{what.lstrip('-')}-{name}")


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _span_s(text: str) -> float | None:
    """Return a time from now: seconds, "1m30.5s", "120ms", a date, or a moment since 1970."""
    now = time.time()
    if (number := _number(text)) is not None:
        if number > 1e11:
            number /= 1_000.0
        return number - now if number > 1e9 else number
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "d": 86_400.0}
    if re.fullmatch(r"(?:[\d.]+(?:ms|[dhms]))+", text.strip()):
        parts = re.findall(r"([\d.]+)(ms|[dhms])", text)
        return sum(float(number) * units[unit] for number, unit in parts)
    if (date := email.utils.parsedate_tz(text)) is not None:
        return email.utils.mktime_tz(date) - now
    try:
        return datetime.datetime.fromisoformat(text.strip()).timestamp() - now
    except ValueError:
        return None
