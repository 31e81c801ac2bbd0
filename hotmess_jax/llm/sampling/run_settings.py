"""The settings of a run of sampling: what is asked, of whom, where to; and what of them records depend on."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from hotmess_jax.llm.sampling.asks import (
    SamplingSettings,
    check_settings,
    data_digest,
    run_prompt_text,
)
from hotmess_jax.llm.sampling.benchmarks import Subset, Target
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.embeddings import TooLong
from hotmess_jax.presentation.limits import Limits

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


def target_of(config: LlmSampleConfig) -> Target:
    """Return which answer counts as right; open answers are measured against none, so all sets do."""
    return "matching" if config.format == "open" else config.target


def settings_of(
    config: LlmSampleConfig, questions: Sequence[Question], extra_body: Mapping[str, Any]
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


def per_request_of(config: LlmSampleConfig, is_vllm: bool) -> int | None:
    """Return how many samples one request asks for, None for all of a question and context."""
    reasoning = config.reasoning_effort is not None or config.thinking_budget is not None
    if config.samples_per_request is None and reasoning and not is_vllm:
        return 1
    return config.samples_per_request
