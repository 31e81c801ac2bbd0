"""Asking for everything that is missing, many requests at a time, and writing down what comes."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from hotmess_jax.llm.sampling.asks import (
    Ask,
    SamplingSettings,
    narrowed,
    sampling_parameters,
    to_record,
)
from hotmess_jax.llm.sampling.endpoint import Answered, Endpoint
from hotmess_jax.llm.sampling.failures import EndpointError, RefusedError, RequestFailedError
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.variety import Variety
from hotmess_jax.machine.disk import WriteFailedError

Answer = TypeVar("Answer")
# So many requests that fail for good one after the other mean that the endpoint is gone.
MOST_FAILURES_IN_A_ROW = 50
# The first requests, one at a time: where all are refused, and a harmless prompt too, so would be thousands.
PROBES = 3
# What holds requests back is shown so often while nothing comes.
SHOWN_EVERY_S = 1.0
# What has arrived when all is to end is still written, so long.
FINISH_S = 3.0


@dataclass
class Counts:
    """What a run has done so far, in samples; tokens are those of replies, where they are known."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    tokens: int = 0
    held_back: str = ""
    """What holds requests back, in words."""


async def collect(
    endpoint: Endpoint,
    settings: SamplingSettings,
    asks: Iterator[Ask],
    file: RecordFile,
    concurrency: int,
    counts: Counts,
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Ask for all that is missing and append each reply as it comes.

    A request that fails for good is written down and counted, and the others go on. Where an endpoint
    refuses as many samples as are asked for, half as many are, and so on; where it gives fewer, or all of
    a request are the same though those of several requests are not, that is how many are asked for.

    Args:
        endpoint: who is asked; its check has passed.
        settings: of the run.
        asks: what is missing, made as it is needed.
        file: where records go, open.
        concurrency: requests in flight at most.
        counts: kept up to date.
        on_progress: called after each request, and now and then while nothing comes.

    Raises:
        EndpointError: where no request can succeed; what has come is in the file.
        WriteFailedError: where the disk refuses what has come.
    """
    run = _Run(endpoint, settings, file, concurrency, counts, on_progress)

    async def show() -> None:
        while True:
            await asyncio.sleep(SHOWN_EVERY_S)
            counts.held_back = endpoint.pace.said()
            on_progress()

    showing = asyncio.create_task(show())
    try:
        await _probe(endpoint, asks, run)
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(_work(endpoint, asks, run))
    except* (EndpointError, WriteFailedError) as errors:
        raise _first(errors) from None
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        counts.held_back = endpoint.pace.said()


class _Run:
    """What all workers share."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: SamplingSettings,
        file: RecordFile,
        concurrency: int,
        counts: Counts,
        on_progress: Callable[[], None],
    ) -> None:
        self.endpoint, self.settings, self.file = endpoint, settings, file
        self.counts, self.on_progress = counts, on_progress
        self.failures_in_a_row = 0
        self.checking = asyncio.Lock()
        self._slots = asyncio.Semaphore(concurrency)
        # The most samples that one request was seen to give.
        self._proven_n = 1
        hot = sampling_parameters(settings).temperature != 0.0
        self._variety = Variety() if hot and not endpoint.is_vllm else None

    async def one(self, ask: Ask) -> str | None:
        """Ask until all samples are there; return the reason where they are not to be had."""
        limit: int | None = None
        while missing := self.missing(ask):
            most = self.endpoint.capabilities.most_n
            size = min(each for each in (len(missing), most, limit) if each is not None)
            parts = [missing[first : first + size] for first in range(0, len(missing), size)]
            asked = [narrowed(self.settings, ask, part) for part in parts]
            reasons = [reason for reason in await _together(self._part, asked) if reason is not None]
            refused = [reason for reason in reasons if isinstance(reason, RefusedError)]
            if refused and size > self._proven_n:
                limit = size // 2
            elif reasons:
                self.failures_in_a_row += 1
                return str(reasons[0])
            elif limit is not None and size == limit != most:
                self.endpoint.learn([_at_most(size, "refuses more")], most_n=size)
        return None

    def missing(self, ask: Ask) -> tuple[int, ...]:
        """Return which samples of an ask are not there yet."""
        place = ask.question.question_id, ask.context
        return tuple(sample for sample in ask.samples if (*place, sample) not in self.file)

    def fail(self, ask: Ask, reason: str) -> None:
        """Write down what is not to be had."""
        missing = self.missing(ask)
        self.counts.failed += len(missing)
        self.file.append_failure(
            {
                "question_id": ask.question.question_id,
                "context": ask.context,
                "samples": missing,
                "reason": reason,
            }
        )
        self.on_progress()

    async def _part(self, here: Ask) -> RequestFailedError | None:
        """Make one request, and look at what it gives; return why it gives nothing."""
        n, endpoint = len(here.samples), self.endpoint
        assert here.seed is not None
        async with self._slots:
            try:
                answered = await endpoint.ask(here.prompt, n, here.seed)
            except RequestFailedError as error:
                return error
        self.failures_in_a_row = 0
        self._proven_n = max(self._proven_n, min(n, answered.choices))
        if answered.choices < n:
            endpoint.learn([_at_most(answered.choices, "gives no more")], most_n=answered.choices)
        if n > 1 and self._variety is not None and self._variety.open:
            await _finished(self._look(here, answered))
        else:
            await _finished(self._write(here, answered))
        return None

    async def _look(self, here: Ask, answered: Answered) -> None:
        """Compare the samples of one request with those of several, where they are all the same."""
        texts = [(reply.text, reply.reasoning) for reply in answered.replies]
        if len(texts) < 2 or len(set(texts)) > 1:
            if len(texts) > 1 and self._variety is not None:
                self._variety.differ()
            await self._write(here, answered)
            return
        await self._write(here, answered._replace(replies=answered.replies[:1]))
        alone = [narrowed(self.settings, here, (sample,)) for sample in here.samples[1 : len(texts)]]
        found: list[tuple[str, str | None]] = []

        async def single(ask: Ask) -> None:
            assert ask.seed is not None
            async with self._slots:
                with contextlib.suppress(RequestFailedError):  # asked again with the others
                    one = await self.endpoint.ask(ask.prompt, 1, ask.seed)
                    await self._write(ask, one)
                    found.append((one.replies[0].text, one.replies[0].reasoning))

        await _together(single, alone)
        assert self._variety is not None
        self._variety.same(texts, found)
        if (note := self._variety.verdict()) is not None:
            self.endpoint.learn([note], most_n=1)

    async def _write(self, here: Ask, answered: Answered) -> None:
        endpoint, records = self.endpoint, []
        sent = here._replace(seed=answered.seed)
        for sample, reply in zip(here.samples, answered.replies, strict=False):
            record = to_record(
                self.settings, sent, sample, reply, dropped=endpoint.capabilities.dropped
            )
            if len(answered.replies) == 1:
                record.pop("request", None)
            if "reasoning" in record and "reasoning_tokens" not in record:
                counted = await endpoint.count_tokens(record["reasoning"])
                if counted is not None:
                    record["reasoning_tokens"] = counted
            records.append(record)
            self.counts.tokens += reply.output_tokens or 0
        self.file.append(records)
        self.counts.done += len(records)
        if answered.shared_length and len(here.samples) > 1 and endpoint.capabilities.most_n != 1:
            if any("reasoning" in record for record in records):
                note = "samples are asked for one by one: the model reasons, and lengths come a request only"
                endpoint.learn([note], most_n=1)
            else:
                endpoint.learn(
                    ["lengths come a request only: --samples-per-request 1 gives each sample its own"]
                )
        self.on_progress()


async def _finished(writing: Coroutine[Any, Any, None]) -> None:
    """Await what writes an answer down, and where all is cancelled meanwhile, a moment longer."""
    task = asyncio.ensure_future(writing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=FINISH_S)
        task.cancel()
        raise


def _first(errors: BaseExceptionGroup) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _together(do: Callable[[Ask], Coroutine[Any, Any, Answer]], asks: list[Ask]) -> list[Answer]:
    """Await all, and where one fails, end the others first."""
    if len(asks) == 1:
        return [await do(asks[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(do(ask)) for ask in asks]
    return [task.result() for task in tasks]


def _at_most(n: int, why: str) -> str:
    return f"at most {n} sample{'s' * (n > 1)} a request: it {why}"


async def _work(endpoint: Endpoint, asks: Iterator[Ask], run: _Run) -> None:
    for ask in asks:  # all workers draw from one iterator
        reason = await run.one(ask)
        if reason is not None:
            run.fail(ask, reason)
            failures = run.failures_in_a_row
            if failures < MOST_FAILURES_IN_A_ROW:
                continue
            async with run.checking:
                # Many in a row may also be prompts that a filter refuses.
                if run.failures_in_a_row >= MOST_FAILURES_IN_A_ROW and not await endpoint.serves():
                    raise EndpointError(f"{failures} requests failed in a row, the last {reason}")
                run.failures_in_a_row = 0


async def _probe(endpoint: Endpoint, asks: Iterator[Ask], run: _Run) -> None:
    """Make the first requests alone, and give up where all of them fail, and a harmless one does."""
    refused: list[tuple[Ask, str]] = []
    for ask in asks:
        reason = await run.one(ask)
        if reason is None:
            break
        refused.append((ask, reason))
        if len(refused) == PROBES:
            if await endpoint.serves():
                break
            raise EndpointError(f"the first {PROBES} requests failed: {reason}")
    for ask, reason in refused:
        run.fail(ask, reason)
