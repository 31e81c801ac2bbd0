"""Requests that are tried again: how often, after which wait, and until when."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import openai

from hotmess_jax.llm.sampling import pacing
from hotmess_jax.llm.sampling.failures import (
    FATAL,
    OUT_OF_MONEY,
    REFUSED_STATUSES,
    RETRIED,
    WAIT_STATUSES,
    EndpointError,
    FailureWords,
    RefusedError,
    RequestFailedError,
    is_gone,
    may_pass,
)
from hotmess_jax.llm.sampling.pacing import Pace, PatienceError, Turn, backoff_s, retry_after_s
from hotmess_jax.llm.sampling.replies import UnreadableReplyError

Answer = TypeVar("Answer")
# What comes back, and the headers that it came with.
Once = Callable[[], Awaitable[tuple[Answer, Mapping[str, str]]]]


class Retries:
    """The attempts of all requests to one endpoint."""

    def __init__(
        self,
        base_url: str,
        pace: Pace,
        words: FailureWords,
        attempts: int,
        known: Callable[[], str],
        on_retry: Callable[[], None],
    ) -> None:
        """Begin with no attempt made.

        Args:
            base_url: of the endpoint, for what is said of it.
            pace: of its requests.
            words: what is said of failures; also how long one attempt may take.
            attempts: of one request; being told to wait uses none up.
            known: says which models it has.
            on_retry: called before each attempt after the first.
        """
        self._base_url = base_url
        self._pace = pace
        self._words = words
        self._timeout_s = words.timeout_s
        self._attempts = attempts
        self._known = known
        self._on_retry = on_retry

    async def answer(self, once: Once[Answer], alive: Callable[[], Awaitable[str | None]]) -> Answer:
        """Await until it succeeds, its attempts are used up, or another is of no use.

        Being told to wait uses up no attempt, and those made while the endpoint was away do not count.

        Args:
            once: makes one attempt.
            alive: asks a harmless prompt once, and returns what is wrong, None where it is answered.

        Raises:
            EndpointError: where no request can succeed.
            RefusedError: where this one is refused.
            RequestFailedError: where it has failed for good.
        """
        attempts, outages, doubted = 0, self._pace.outages, False
        told: float | None = None  # since when it is
        while True:
            try:
                turn = await self._pace.turn(alive)
            except PatienceError as error:
                raise EndpointError(f"{self._base_url}: {error}") from None
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer, headers = await once()
            except FATAL as error:
                known = self._known() if isinstance(error, openai.NotFoundError) else ""
                raise EndpointError(f"{self._words.said(error)}{known}") from None
            except (*RETRIED, openai.APIStatusError) as error:
                if (wait := self._told_to_wait(turn, error)) is not None:
                    told = turn.begun if told is None else told
                    if turn.begun - told > self._pace.patience_s:
                        minutes = f"{self._pace.patience_s / 60:.3g} min"
                        said = f"told to wait for {minutes}: {self._words.said(error)}"
                        raise RequestFailedError(said) from None
                    self._on_retry()
                    await asyncio.sleep(wait)
                    continue
                if isinstance(error, openai.APIStatusError) and not may_pass(error):
                    raise self._refusal(error) from None
                said = self._words.said(error)
                self._pace.failed(turn, is_gone(error), said)
                if self._pace.outages > outages:
                    attempts, outages, doubted = 0, self._pace.outages, False
                attempts += 1
                if attempts >= self._attempts:
                    if doubted or not self._pace.doubted(turn.begun, said):
                        raise RequestFailedError(f"after {self._attempts} attempts: {said}") from None
                    doubted = True
            except (UnreadableReplyError, openai.OpenAIError) as error:
                raise RequestFailedError(self._words.said(error)) from None
            else:
                self._pace.answered(turn, headers)
                return answer
            finally:
                self._pace.give_up(turn)
            self._on_retry()
            await asyncio.sleep(backoff_s(attempts, pacing.LONGEST_BACKOFF_S))

    def _refusal(self, error: openai.APIStatusError) -> RequestFailedError:
        if error.status_code in REFUSED_STATUSES:
            return RefusedError(self._words.said(error), error.body)
        return RequestFailedError(self._words.said(error))

    def _told_to_wait(self, turn: Turn, error: BaseException) -> float | None:
        """Return how long a request that is told to wait waits by itself, None where it is not told so.

        Raises:
            EndpointError: where no wait would help.
        """
        if not isinstance(error, openai.APIStatusError):
            return None
        headers = error.response.headers
        if error.status_code == 429:
            if any(code in json.dumps(error.body) for code in OUT_OF_MONEY):
                raise EndpointError(self._words.said(error)) from None
        elif error.status_code not in WAIT_STATUSES or retry_after_s(headers) is None:
            return None
        return self._pace.told_to_wait(turn, headers, self._words.said(error))
