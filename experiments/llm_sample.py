"""Sample a language model many times a question: python -m experiments.llm_sample --benchmark mwe …

Writes one record a sample (see hotmess_jax/llm/records.py), for `python -m experiments.incoherence`.
Stopped at any moment, the same command asks only for what is missing (Hägele et al. 2026, arXiv
2601.23045, Appendix B.1 and B.2).
"""

import asyncio
import contextlib
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console

from hotmess_jax.llm.sampling.asks import (
    MAY_GROW,
    SamplingSettings,
    check_settings,
    chosen_questions,
    data_digest,
    plan_asks,
    run_prompt_text,
)
from hotmess_jax.llm.sampling.benchmarks import Subset, Target, load
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.capabilities import Capabilities, from_json
from hotmess_jax.llm.sampling.collect import Counts, collect
from hotmess_jax.llm.sampling.embeddings import Embed, TextsRefusedError, TooLong, embed_records
from hotmess_jax.llm.sampling.endpoint import (
    Endpoint,
    EndpointError,
    RefusedError,
    RequestFailedError,
    api_key,
    same_host,
)
from hotmess_jax.llm.sampling.offline import collect_offline
from hotmess_jax.llm.sampling.plan import Plan, plan
from hotmess_jax.llm.sampling.progress import SamplingProgress
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.tally import tally
from hotmess_jax.machine.disk import WriteFailedError
from hotmess_jax.machine.interruption import StoppedError, between_steps
from hotmess_jax.presentation.command_line import GOES_ON, ending_in_one_line, fail, parse
from hotmess_jax.presentation.limits import Limits

MOST_PROBLEMS_SHOWN = 20
STOP_POLL_S = 0.2
# What has a flag, or is decided here: records would not say what was sent.
NO_EXTRA_BODY = {
    "model": "model",
    "temperature": "temperature",
    "top_p": "top-p",
    "top_k": "top-k",
    "seed": "seed",
    "n": "samples",
    "max_tokens": "max-tokens",
    "max_completion_tokens": "max-tokens",
    "reasoning_effort": "reasoning-effort",
    "thinking": "thinking-budget",
    "thinking_budget": "thinking-budget",
    "thinking_token_budget": "thinking-budget",
    "messages": "benchmark",
    "prompt": "benchmark",
    "stop": "api",
    "stream": "api",
    "return_token_ids": "api",
}
NO_ENGINE_ARGUMENTS = {"model": "model"}


@dataclass(frozen=True, kw_only=True)
class LlmSampleConfig(SamplingSettings):
    """Sample a language model many times a question, and lose nothing."""

    out: Path
    """The file of records, JSON lines; where it exists, only what is missing in it is asked."""

    subset: Subset = "main"
    """Which set of GPQA: main (448 questions, as in the paper), diamond (198) or extended (546)."""

    target: Target = "aligned"
    """Which answer of a model-written evaluation counts as right: the aligned one, as in the paper, or
    the one that the data call matching. Open answers are measured against neither."""

    base_url: str | None = None
    """An OpenAI-compatible endpoint, up to and with /v1."""

    vllm_offline: bool = False
    """Generate with vLLM in this process instead (extra vllm)."""

    engine_arguments: str = "{}"
    """Further arguments of vllm.LLM, as one JSON object."""

    extra_body: str = "{}"
    """Further fields of every request, as one JSON object."""

    api_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the endpoint's key."""

    concurrency: Annotated[int, Limits(1)] = 64
    """Requests in flight at most; fewer are where the endpoint limits."""

    samples_per_request: Annotated[int | None, Limits(1)] = None
    """Samples asked for in one request (n). None is all of a question and context, but one where reasoning
    is asked for and the endpoint is not vLLM, since others count its tokens a request, and fewer where
    the endpoint refuses so many, or draws all of a request with one seed."""

    timeout: Annotated[float, Limits(0, above=True, unit="s")] = 600.0
    """Longest that one attempt may take, in seconds."""

    attempts: Annotated[int, Limits(1)] = 8
    """Attempts of one request, before it counts as failed. Being told to wait uses none up."""

    wait_minutes: Annotated[float, Limits(0, above=True, unit="min")] = 30.0
    """How long an endpoint that is away, or tells to wait, is waited for, before the run ends."""

    embed: str | None = None
    """Also write vectors of open answers with this model of the endpoint's /embeddings, such as
    text-embedding-3-large, to FILE.embeddings.npy."""

    embed_base_url: str | None = None
    """Another endpoint for --embed; None is --base-url."""

    embed_api_key_variable: str | None = None
    """The environment variable that holds the key of --embed-base-url. None is --api-key-variable where
    that endpoint is --base-url's host, and no key elsewhere: none is ever sent to another host."""

    embed_local: str | None = None
    """The same with a local sentence-transformers model (extra embed)."""

    embed_too_long: TooLong = "cut"
    """What becomes of an answer that is too long for the embedding model: its beginning is embedded, or it
    has no vector."""

    dry_run: bool = False
    """Print an example prompt and what is still to be asked, as bounds on requests and tokens, and ask
    nothing."""

    price_in: Annotated[float | None, Limits(0)] = None
    """Price of a million tokens of prompts, for --dry-run."""

    price_out: Annotated[float | None, Limits(0)] = None
    """Price of a million tokens of replies, for --dry-run."""


@ending_in_one_line(GOES_ON)
def main() -> None:
    """Parse the command line, load the questions, sample."""
    config = parse(LlmSampleConfig)
    console = Console(stderr=True)
    try:
        check(config)
        extra_body = json_object("extra_body", config.extra_body, NO_EXTRA_BODY)
        engine_arguments = json_object("engine_arguments", config.engine_arguments, NO_ENGINE_ARGUMENTS)
        questions = load_questions(config, console)
        settings = settings_of(config, questions, extra_body)
        file = RecordFile(config.out)
        if config.dry_run:
            file.read_present()
            print_plan(
                config, plan(config, questions, file, config.samples_per_request, config.vllm_offline)
            )
            return
        with file.opened(settings, MAY_GROW) as mended, embedder(config) as embed:
            if mended:
                say(console, f"{config.out}: {mended}")
            if embed:  # a wrong model is found before the last sample is paid for
                embed(["A text."])
            counts = Counts()
            wanted = len(chosen_questions(config, questions)) * config.contexts * config.samples
            reached = functools.partial(samples_in, file, wanted)
            # Where all is there, the model may be gone.
            missing = next(plan_asks(config, questions, file), None) is not None
            try:
                with (
                    between_steps(reached) as stop_here,
                    SamplingProgress(console, wanted, len(file), counts) as progress,
                ):
                    if missing and config.vllm_offline:
                        asks = plan_asks(config, questions, file)
                        collect_offline(
                            config, asks, file, counts, engine_arguments, progress.update, stop_here
                        )
                    elif missing:
                        work = sample(config, questions, file, counts, extra_body, progress, console)
                        asyncio.run(until_stopped(work, stop_here))
            except (WriteFailedError, StoppedError):
                raise
            except BaseException:
                summarise(config, file, console)
                raise
            summarise(config, file, console)
            if embed:
                write_vectors(config, embed, console)
    except (ValueError, EndpointError, RequestFailedError, TextsRefusedError) as error:
        fail(str(error))
    if counts.failed:
        print(
            f"error: {counts.failed} samples failed, with their reasons in {file.failures_path}; "
            "the same command asks for them again",
            file=sys.stderr,
        )
        raise SystemExit(1)


def samples_in(file: RecordFile, wanted: int) -> str:
    """Return how many samples are there, in words."""
    return f"{len(file):,} of {wanted:,} samples are in {file.path}"


async def until_stopped(work: Coroutine[Any, Any, None], stop_here: Callable[[], bool]) -> None:
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


def check(config: LlmSampleConfig) -> None:
    """Check what the types cannot."""
    check_settings(config)
    if config.base_url is None and not config.vllm_offline:
        raise ValueError("one of --base-url and --vllm-offline is needed")
    if config.base_url is not None and config.vllm_offline:
        raise ValueError("one of --base-url and --vllm-offline, not both")
    if (config.embed or config.embed_local) and config.format != "open":
        raise ValueError(f"only answers of the open format are embedded, got format {config.format!r}")
    if config.embed and config.embed_local:
        raise ValueError("one of embed and embed-local, not both")
    if config.embed_api_key_variable is not None and not config.embed:
        raise ValueError("embed-api-key-variable needs embed")
    if config.embed and not (config.embed_base_url or config.base_url):
        raise ValueError("embed needs a base-url or an embed-base-url")


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def json_object(name: str, text: str, refused: Mapping[str, str]) -> dict[str, Any]:
    """Return a flag's JSON object, where it holds nothing that another flag says."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{name.replace('_', '-')} must be a JSON object, got {text!r}")
    if taken := sorted(value.keys() & refused.keys()):
        raise ValueError(
            f"{name.replace('_', '-')} may not hold {taken[0]!r}: records say what --{refused[taken[0]]} is"
        )
    return value


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


def target_of(config: LlmSampleConfig) -> Target:
    """Return which answer counts as right; open answers are measured against none, so all sets do."""
    return "matching" if config.format == "open" else config.target


def settings_of(
    config: LlmSampleConfig, questions: Sequence[Question], extra_body: dict[str, Any]
) -> dict[str, Any]:
    """Return what the records depend on, as the file beside them keeps it."""
    own = {field.name for field in dataclasses.fields(SamplingSettings)} - {"data"}
    settings = {name: value for name, value in dataclasses.asdict(config).items() if name in own}
    prompt = run_prompt_text(config).label
    # What a benchmark is asked of tells its runs apart.
    if config.benchmark == "gpqa":
        settings["subset"] = config.subset
    if config.benchmark == "mwe":
        settings["target"] = target_of(config)
    return settings | {"prompt": prompt, "questions": data_digest(questions), "extra_body": extra_body}


async def sample(
    config: LlmSampleConfig,
    questions: Sequence[Question],
    file: RecordFile,
    counts: Counts,
    extra_body: dict[str, Any],
    progress: SamplingProgress,
    console: Console,
) -> None:
    """Sample from an endpoint."""
    url = config.base_url or ""
    kept = file.noted("endpoint")
    kept = kept if isinstance(kept, dict) and kept.get("base_url") == url else {}
    said = set(kept.get("notes") or ())
    for note in kept.get("notes") or ():
        say(console, f"as found before: {note}")

    def on_retry() -> None:
        counts.retried += 1

    def on_learnt(capabilities: Capabilities) -> None:
        for note in capabilities.notes:
            if note not in said:
                said.add(note)
                say(console, note)
        keep()

    def keep() -> None:
        empty = int(kept.get("empty_asked_again") or 0) + endpoint.empty
        found = {"base_url": url, "empty_asked_again": empty}
        file.note("endpoint", found | dataclasses.asdict(endpoint.capabilities))

    endpoint = Endpoint(
        config,
        url,
        api_key(config.api_key_variable),
        timeout_s=config.timeout,
        attempts=config.attempts,
        patience_s=config.wait_minutes * 60,
        extra_body=extra_body,
        capabilities=from_json(kept),
        on_retry=on_retry,
        on_learnt=on_learnt,
    )
    try:
        for line in await endpoint.check():
            say(console, line)
        per_request = per_request_of(config, endpoint.is_vllm)
        asks = plan_asks(config, questions, file, per_request)
        await collect(endpoint, config, asks, file, config.concurrency, counts, progress.update)
    finally:
        await endpoint.close()
        if endpoint.empty:
            keep()
            say(console, f"{endpoint.empty} samples came empty, and were asked for again")


def per_request_of(config: LlmSampleConfig, is_vllm: bool) -> int | None:
    """Return how many samples one request asks for, None for all of a question and context."""
    reasoning = config.reasoning_effort is not None or config.thinking_budget is not None
    if config.samples_per_request is None and reasoning and not is_vllm:
        return 1
    return config.samples_per_request


def summarise(config: LlmSampleConfig, file: RecordFile, console: Console) -> None:
    """Say what is in the file, and keep it beside the settings."""
    say(console, f"{len(file)} samples in {config.out}")
    if len(file):
        found = tally(config.out, config.max_tokens)
        file.note("summary", dataclasses.asdict(found) | {"unknown_marks": list(found.unknown_marks)})
        say(console, found.line())


@contextlib.contextmanager
def embedder(config: LlmSampleConfig) -> Iterator[Embed | None]:
    """Yield what makes vectors of texts, the local model loaded; None where no vectors are wanted."""
    if config.embed_local:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ValueError(
                "embed-local needs sentence-transformers: pip install -e '.[embed]'"
            ) from None
        try:
            model = SentenceTransformer(config.embed_local)
        except (OSError, ValueError) as error:
            raise ValueError(f"embed-local cannot load {config.embed_local!r}: {error}") from None

        def local(texts: Sequence[str]) -> Any:
            most = model.max_seq_length
            for text in texts:  # it would cut without a word
                tokens = len(model.tokenizer(text, truncation=False)["input_ids"])
                if most and tokens > most:
                    raise TextsRefusedError(f"a text of {tokens} tokens, and the model takes {most}")
            return model.encode(list(texts))

        yield local
        return
    if not config.embed:
        yield None
        return
    url, key = config.embed_base_url or config.base_url or "", embed_key(config)

    endpoint = Endpoint(config, url, key, timeout_s=config.timeout, patience_s=config.wait_minutes * 60)
    with asyncio.Runner() as runner:

        def served(texts: Sequence[str]) -> list[list[float]]:
            try:
                return runner.run(endpoint.embed(config.embed or "", texts))
            except RefusedError as error:
                raise TextsRefusedError(f"{url}: {error}") from None

        try:
            yield served
        finally:
            runner.run(endpoint.close())


def write_vectors(config: LlmSampleConfig, embed: Embed, console: Console) -> None:
    """Write the vectors of the answers beside the records."""

    def on_progress(done: int, lines: int) -> None:
        say(console, f"{done} of {lines} answers embedded")

    found = embed_records(config.out, embed, on_progress, config.embed_too_long)
    said = f"{found.lines} answers have a vector, {found.empty} samples have no answer"
    if found.cut:
        said += f", of {found.cut} only the beginning was embedded: they are too long for the model"
    if found.left_out:
        said += f", {found.left_out} are too long for the model and have none"
    say(console, said)


def embed_key(config: LlmSampleConfig) -> str:
    """Return the embedding endpoint's key: its own, or the sampling endpoint's on the same host."""
    if config.embed_api_key_variable is not None:
        return api_key(config.embed_api_key_variable)
    if config.embed_base_url is None or same_host(config.embed_base_url, config.base_url):
        return api_key(config.api_key_variable)
    return "none"


def print_plan(config: LlmSampleConfig, found: Plan) -> None:
    """Print what is still to be asked."""
    if found.example is not None:
        print("An example prompt:\n")
        if found.example.system:
            print(f"[system]\n{found.example.system}\n\n[user]")
        print(f"{found.example.text}\n")
    print(f"questions  {found.questions:,}")
    print(
        f"samples    {found.samples:,}" + (f" ({found.present:,} are there)" if found.present else "")
    )
    print(f"requests   {span(found.requests)}" + found.why_many)
    print(
        f"prompts    {span(found.prompt_tokens)} tokens (bytes, which no tokeniser makes more of, and "
        f"{found.template_tokens} a request for the chat's template)"
        if found.template_tokens
        else f"prompts    {span(found.prompt_tokens)} tokens (bytes, which no tokeniser makes more of)"
    )
    if found.reply_tokens is None:
        print("replies    no bound: --max-tokens is missing, and the endpoint's own holds")
    else:
        own = "" if config.max_tokens else ", the default here"
        print(f"replies    at most {found.reply_tokens:,} tokens ({found.longest:,} a sample{own})")
    if config.embed or config.embed_local:
        print(f"embeddings {found.samples:,} answers, a reply long at most")
    if config.price_in is not None or config.price_out is not None:
        costs = [found.cost(i, config.price_in or 0.0, config.price_out or 0.0) for i in (0, 1)]
        bound = (
            "" if found.reply_tokens is not None or not config.price_out else ", replies not counted"
        )
        print(f"costs      at most {costs[0]:,.2f} to {costs[1]:,.2f}{bound}")


def span(bounds: tuple[int, int]) -> str:
    """Return a number, or both of its bounds."""
    return f"{bounds[0]:,}" if bounds[0] == bounds[1] else f"{bounds[0]:,} to {bounds[1]:,}"


if __name__ == "__main__":
    main()
