"""A run of sampling: all that is missing is asked for, of an endpoint or of a model in this process."""

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from hotmess_jax.llm.sampling.asks import MAY_GROW, chosen_questions, plan_asks
from hotmess_jax.llm.sampling.benchmarks import load
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.capabilities import Capabilities, from_json
from hotmess_jax.llm.sampling.collect import Counts, collect
from hotmess_jax.llm.sampling.embedders import embedder, write_vectors
from hotmess_jax.llm.sampling.endpoint import Endpoint, api_key
from hotmess_jax.llm.sampling.offline import collect_offline
from hotmess_jax.llm.sampling.progress import SamplingProgress
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.run_settings import (
    LlmSampleConfig,
    per_request_of,
    settings_of,
    target_of,
)
from hotmess_jax.llm.sampling.tally import tally
from hotmess_jax.machine.disk import WriteFailedError
from hotmess_jax.machine.interruption import StoppedError, between_steps
from hotmess_jax.presentation.lines import say

MOST_PROBLEMS_SHOWN = 20
STOP_POLL_S = 0.2


def load_questions(config: LlmSampleConfig, console: Console) -> list[Question]:
    """Load the benchmark, and list what of it cannot be used."""
    questions, problems = load(config.benchmark, config.data, config.subset, target_of(config))
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        console.print(f"left out: {problem}", highlight=False, soft_wrap=True)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        console.print(f"left out: {len(problems) - MOST_PROBLEMS_SHOWN} rows more", highlight=False)
    if not questions:
        raise ValueError(f"no question of {config.data} can be used")
    return questions


def sample_missing(
    config: LlmSampleConfig,
    questions: Sequence[Question],
    file: RecordFile,
    extra_body: Mapping[str, Any],
    engine_arguments: Mapping[str, Any],
    console: Console,
) -> Counts:
    """Ask for what is missing in the file, and write the vectors of the answers where they are wanted.

    Args:
        config: of the run.
        questions: of the benchmark.
        file: of records.
        extra_body: further fields of every request.
        engine_arguments: further arguments of a model in this process.
        console: where to tell of it.

    Returns:
        What the run did.

    Raises:
        ValueError: where the settings are not those of the file, or a model cannot be loaded.
        EndpointError: where no request can succeed.
        RequestFailedError: where the embedding endpoint fails for good.
        TextsRefusedError: where the embedding model takes no text.
    """
    counts = Counts()
    run = _Run(config, questions, file, extra_body, engine_arguments, console, counts)
    settings = settings_of(config, questions, extra_body)
    with file.opened(settings, MAY_GROW) as mended, embedder(config) as embed:
        if mended:
            say(console, f"{config.out}: {mended}")
        if embed:  # a wrong model is found before the last sample is paid for
            embed(["A text."])
        # Where all is there, the model may be gone.
        missing = next(plan_asks(config, questions, file), None) is not None
        try:
            run.collect(missing)
        except (WriteFailedError, StoppedError):
            raise
        except BaseException:
            run.summarise()
            raise
        run.summarise()
        if embed:
            write_vectors(config, embed, console)
    return counts


@dataclass(frozen=True)
class _Run:
    """What a run has, as `sample_missing` is given it."""

    config: LlmSampleConfig
    questions: Sequence[Question]
    file: RecordFile
    extra_body: Mapping[str, Any]
    engine_arguments: Mapping[str, Any]
    console: Console
    counts: Counts

    def collect(self, missing: bool) -> None:
        """Collect samples, where any are missing, until all are there, or a signal comes."""
        wanted = len(chosen_questions(self.config, self.questions))
        wanted *= self.config.contexts * self.config.samples
        with (
            between_steps(functools.partial(_samples_in, self.file, wanted)) as stop_here,
            SamplingProgress(self.console, wanted, len(self.file), self.counts) as progress,
        ):
            if missing and self.config.vllm_offline:
                collect_offline(
                    self.config,
                    plan_asks(self.config, self.questions, self.file),
                    self.file,
                    self.counts,
                    self.engine_arguments,
                    progress.update,
                    stop_here,
                )
            elif missing:
                asyncio.run(_until_stopped(self._sample(progress), stop_here))

    async def _sample(self, progress: SamplingProgress) -> None:
        """Sample from an endpoint, and keep what is found of it beside the records."""
        url = self.config.base_url or ""
        kept = self.file.noted("endpoint")
        kept = kept if isinstance(kept, dict) and kept.get("base_url") == url else {}
        said = set(kept.get("notes") or ())
        for note in kept.get("notes") or ():
            say(self.console, f"as found before: {note}")

        def on_retry() -> None:
            self.counts.retried += 1

        def on_learnt(capabilities: Capabilities) -> None:
            for note in capabilities.notes:
                if note not in said:
                    said.add(note)
                    say(self.console, note)
            keep()

        def keep() -> None:
            empty = int(kept.get("empty_asked_again") or 0) + endpoint.empty
            found = {"base_url": url, "empty_asked_again": empty}
            self.file.note("endpoint", found | dataclasses.asdict(endpoint.capabilities))

        endpoint = Endpoint(
            self.config,
            url,
            api_key(self.config.api_key_variable),
            timeout_s=self.config.timeout,
            attempts=self.config.attempts,
            patience_s=self.config.wait_minutes * 60,
            extra_body=self.extra_body,
            capabilities=from_json(kept),
            on_retry=on_retry,
            on_learnt=on_learnt,
        )
        try:
            for line in await endpoint.check():
                say(self.console, line)
            per_request = per_request_of(self.config, endpoint.is_vllm)
            asks = plan_asks(self.config, self.questions, self.file, per_request)
            await collect(
                endpoint,
                self.config,
                asks,
                self.file,
                self.config.concurrency,
                self.counts,
                progress.update,
            )
        finally:
            await endpoint.close()
            if endpoint.empty:
                keep()
                say(self.console, f"{endpoint.empty} samples came empty, and were asked for again")

    def summarise(self) -> None:
        """Say what is in the file, and keep it beside the settings."""
        say(self.console, f"{len(self.file)} samples in {self.config.out}")
        if len(self.file):
            found = tally(self.config.out, self.config.max_tokens)
            self.file.note(
                "summary", dataclasses.asdict(found) | {"unknown_marks": list(found.unknown_marks)}
            )
            say(self.console, found.line())


def _samples_in(file: RecordFile, wanted: int) -> str:
    """Return how many samples are there, in words."""
    return f"{len(file):,} of {wanted:,} samples are in {file.path}"


async def _until_stopped(work: Coroutine[Any, Any, None], stop_here: Callable[[], bool]) -> None:
    """Await some work, and end it where a signal comes; what has arrived is written."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait([task], timeout=STOP_POLL_S)
        if not task.done() and stop_here():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return
    task.result()
