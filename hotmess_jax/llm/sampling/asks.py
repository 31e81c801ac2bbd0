"""What is asked of a language model, sample by sample, and the records that its replies become."""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args

import tyro

from hotmess_jax.llm.sampling.answers import final_answer, probabilities, split_reasoning, tagged_answer
from hotmess_jax.llm.sampling.benchmarks.question import Benchmark, Question
from hotmess_jax.llm.sampling.prompts import (
    Format,
    Prompt,
    context_seed,
    draw_shots,
    prompt_name,
    prompt_text,
    render,
    without,
)
from hotmess_jax.llm.sampling.reasoning import unknown_marks
from hotmess_jax.llm.sampling.seeds import derived_seed
from hotmess_jax.presentation.limits import Limits, check_limits
from kernels.names import check_name

Api = Literal["chat", "completions"]
ShotsFrom = Literal["corpus", "topic"]
Effort = Literal["minimal", "low", "medium", "high"]
Preset = Literal["qwen3-thinking", "qwen3-non-thinking", "gemma3", "llama3", "deepseek-r1", "greedy"]

# Fields of the settings that are one of several names.
CHOICES = {
    "benchmark": Benchmark,
    "format": Format,
    "api": Api,
    "shots_from": ShotsFrom,
    "reasoning_effort": Effort,
    "sampling": Preset,
}
MAY_BE_NONE = ("reasoning_effort", "sampling")
# What the models' vendors recommend, from their model cards.
SAMPLING_PRESETS: dict[Preset, dict[str, float]] = {
    "qwen3-thinking": {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
    "qwen3-non-thinking": {"temperature": 0.7, "top_k": 20, "top_p": 0.8},
    "gemma3": {"temperature": 1.0, "top_k": 64, "top_p": 0.95},
    "llama3": {"temperature": 0.6, "top_p": 0.9},
    "deepseek-r1": {"temperature": 0.6, "top_p": 0.95},
    "greedy": {"temperature": 0.0},
}
STOP_AFTER = "\n\n"
LONGEST_WITH_THOUGHTS = 32_768
# How APIs call a reply that ended for its length.
CUT = ("length", "max_tokens", "model_length", "max_output_tokens", "token_limit", "truncated")


@dataclass(frozen=True)
class SamplingSettings:
    """What is asked and how: what tells one run's records from another's."""

    benchmark: Benchmark
    """Whose questions."""

    data: str
    """Where they are: a file, a folder of files, or the name of a hub's data set (extra hub)."""

    model: str
    """The model's name, as its endpoint or the hub knows it."""

    model_name: str | None = None
    """Its name in the records; None is --model."""

    format: Format = "choice"
    """What is asked for: one option, a probability for each option, or (mwe only) a text, without
    options."""

    chain_of_thought: bool = False
    """Ask to think step by step first, for models that do not reason natively; without examples."""

    api: Api = "chat"
    """The endpoint's kind: completions suit models without a chat template."""

    contexts: Annotated[int, Limits(1)] = 1
    """Few-shot contexts a question: sets of solved examples, drawn anew for each."""

    samples: Annotated[int, Limits(1)] = 30
    """Samples a question and context."""

    shots: Annotated[int, Limits(0)] = 0
    """Solved examples in each context."""

    shots_from: ShotsFrom = "corpus"
    """Whether examples come from all questions or from the same topic's."""

    reasoning_effort: Effort | None = None
    """Reasoning budget of models that take one by name; each record's `budget`."""

    thinking_budget: Annotated[int | None, Limits(1)] = None
    """Reasoning budget in tokens, for models that take one so; each record's `budget`."""

    sampling: Preset | None = None
    """A vendor's recommended temperature, top-k and top-p; each can be overridden."""

    temperature: Annotated[float | None, Limits(0)] = None
    """Sampling temperature; None leaves it to the endpoint."""

    top_p: Annotated[float | None, Limits(0, 1, above=True)] = None
    """Nucleus sampling, 0 to 1; None leaves it to the endpoint."""

    top_k: Annotated[int | None, Limits(1)] = None
    """Sample among so many tokens; None leaves it to the endpoint."""

    max_tokens: Annotated[int | None, Limits(1)] = None
    """Longest reply, reasoning included, in tokens; None is 16 for completions in the choice format, 128 for
    other completions without thoughts, 32,768 for completions with thoughts and for all that is generated
    with --vllm-offline, and the endpoint's own for chats."""

    limit: Annotated[int | None, Limits(1)] = None
    """Only the first so many questions."""

    per_category: Annotated[int | None, Limits(1)] = None
    """Only the first so many questions of each topic."""

    seed: int = 0
    """Of the contexts and of every request."""

    no_seed: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Send no seeds, for endpoints that take none, or draw the same sample for one."""

    def __post_init__(self) -> None:
        for name, names in CHOICES.items():
            value = getattr(self, name)
            if value is not None or name not in MAY_BE_NONE:
                check_name(name.replace("_", "-"), value, get_args(names))


# How much is asked may grow from one start to the next; what is asked may not change.
MAY_GROW = ("contexts", "samples", "limit", "per_category")


class SamplingParameters(NamedTuple):
    """What an endpoint is told of how to sample, with presets resolved."""

    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    stop: str | None


class Ask(NamedTuple):
    """One question in one context, and which of its samples are wanted."""

    question: Question
    context: int
    samples: tuple[int, ...]
    prompt: Prompt
    # As it is sent; None where none is.
    seed: int | None


class Reply(NamedTuple):
    """One sample as a backend gives it."""

    text: str
    # None where reasoning, if any, stands in the text.
    reasoning: str | None = None
    finish_reason: str | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


def check_settings(settings: SamplingSettings) -> None:
    """Check what a command line's types cannot.

    Raises:
        ValueError: naming the value.
    """
    prompt_name(settings.benchmark, settings.format, settings.chain_of_thought, settings.api == "chat")
    check_limits(settings)
    if settings.shots and (settings.chain_of_thought or settings.format == "open"):
        raise ValueError(
            "chain of thought and the open format have no solved examples: shots must be 0"
        )
    if settings.contexts > 1 and not settings.shots:
        raise ValueError(
            "contexts differ by their solved examples: more than 1 needs shots of at least 1"
        )
    if settings.reasoning_effort is not None and settings.thinking_budget is not None:
        raise ValueError("one of reasoning-effort and thinking-budget, not both")


def sampling_parameters(settings: SamplingSettings, offline: bool = False) -> SamplingParameters:
    """Return what the endpoint is told, the preset's values under the settings' own.

    Where nothing is said, completions and vLLM's own engine end after 16 tokens: they are always told.
    """
    preset = SAMPLING_PRESETS[settings.sampling] if settings.sampling else {}
    completions = settings.api == "completions"

    def chosen(name: str) -> Any:
        value = getattr(settings, name)
        return preset.get(name) if value is None else value

    longest = settings.max_tokens
    stop = None
    if completions and not settings.chain_of_thought:
        stop = STOP_AFTER
        longest = longest or (16 if settings.format == "choice" else 128)
    elif completions or offline:
        longest = longest or LONGEST_WITH_THOUGHTS
    return SamplingParameters(chosen("temperature"), chosen("top_p"), chosen("top_k"), longest, stop)


def chosen_questions(settings: SamplingSettings, questions: Sequence[Question]) -> list[Question]:
    """Return the questions that limit and per-category leave, in the data's order."""
    if settings.per_category is not None:
        seen: dict[str | None, int] = {}
        kept = []
        for question in questions:
            seen[question.topic] = seen.get(question.topic, 0) + 1
            if seen[question.topic] <= settings.per_category:
                kept.append(question)
        questions = kept
    return list(questions[: settings.limit])


def data_digest(questions: Iterable[Question]) -> str:
    """Return a digest of all questions: examples are drawn from them, so they may not change."""
    digest = hashlib.blake2b(digest_size=8)
    for question_id in sorted(question.question_id for question in questions):
        digest.update(question_id.encode() + b"\n")
    return digest.hexdigest()


def plan_asks(
    settings: SamplingSettings,
    corpus: Sequence[Question],
    present: Container[tuple[str, int, int]],
    per_request: int | None = None,
) -> Iterator[Ask]:
    """Yield what is still to be asked, context by context, so that prompts which begin alike follow.

    Args:
        settings: of the run.
        corpus: all questions.
        present: (question_id, context, sample) of what there is already.
        per_request: samples in one ask at most; None is all of a question and context.

    Raises:
        ValueError: where the corpus holds too few questions for the examples.
    """
    text = run_prompt_text(settings)
    questions = chosen_questions(settings, corpus)
    pools: dict[str | None, list[Question]] = {}
    for question in corpus:
        pools.setdefault(_pool(settings, question), []).append(question)
    for context in range(settings.contexts):
        drawn: dict[str | None, list[Question]] = {}
        for question in questions:
            missing = tuple(
                sample
                for sample in range(settings.samples)
                if (question.question_id, context, sample) not in present
            )
            if not missing:
                continue
            shots: list[Question] = []
            if settings.shots:
                pool = _pool(settings, question)
                if pool not in drawn:
                    seed = context_seed(settings.seed, settings.benchmark, pool, context)
                    drawn[pool] = draw_shots(pools[pool], settings.shots, seed)
                shots = without(drawn[pool], question)
            prompt = render(text, question, shots, settings.api == "chat")
            size = per_request or len(missing)
            for first in range(0, len(missing), size):
                part = missing[first : first + size]
                yield Ask(question, context, part, prompt, _ask_seed(settings, question, context, part))


def run_prompt_text(settings: SamplingSettings) -> Any:
    """Return the prompt text that a run's settings call for."""
    return prompt_text(
        prompt_name(
            settings.benchmark, settings.format, settings.chain_of_thought, settings.api == "chat"
        )
    )


def narrowed(settings: SamplingSettings, ask: Ask, samples: tuple[int, ...]) -> Ask:
    """Return an ask for some of another's samples, with a seed of its own."""
    seed = _ask_seed(settings, ask.question, ask.context, samples)
    return ask._replace(samples=samples, seed=seed)


def _ask_seed(
    settings: SamplingSettings, question: Question, context: int, samples: tuple[int, ...]
) -> int:
    return derived_seed(settings.seed, question.benchmark, question.question_id, context, samples[0])


def _pool(settings: SamplingSettings, question: Question) -> str | None:
    return question.topic if settings.shots_from == "topic" else None


def to_record(
    settings: SamplingSettings,
    ask: Ask,
    sample: int,
    reply: Reply,
    count_tokens: Callable[[str], int | None] = lambda text: None,
    dropped: Container[str] = (),
) -> dict[str, Any]:
    """Return the record of one sample, as `records.Record` has it.

    Args:
        settings: of the run.
        ask: what was asked.
        sample: its number.
        reply: what came back.
        count_tokens: of a text, None where nobody can; used where the API did not count reasoning.
        dropped: parameters that the endpoint does not take: no record says that they were sent.
    """
    question = ask.question
    in_text, answer = (part.strip() for part in split_reasoning(reply.text))
    reasoning = "\n".join(part for part in (reply.reasoning, in_text) if part)
    counted = reply.reasoning_tokens
    if counted is None and reasoning:
        counted = count_tokens(reasoning)
    record: dict[str, Any] = {
        "benchmark": question.benchmark,
        "model": settings.model_name or settings.model,
        "question_id": question.question_id,
        "context": ask.context,
        "sample": sample,
        "target": question.target,
        "options": list(question.labels),
        "topic": question.topic,
        "difficulty": question.difficulty,
        "temperature": None if "temperature" in dropped else sampling_parameters(settings).temperature,
        "budget": settings.reasoning_effort or settings.thinking_budget,
        "format": settings.format,
        "prompt": run_prompt_text(settings).label,
        "text": answer,
        "reasoning": reasoning or None,
        "reasoning_tokens": counted,
        "output_tokens": reply.output_tokens,
        "finish_reason": reply.finish_reason,
        "seed": ask.seed,
        # Which samples came from one request, and what in them may be a thought that nobody told.
        "request": ask.samples[0] if len(ask.samples) > 1 else None,
        "unknown_marks": sorted(unknown_marks(reply.text)) or None,
    }
    record |= _parsed(settings, question, reply)
    return {name: value for name, value in (record | dict(question.extra)).items() if value is not None}


def was_cut(finish_reason: str | None, output_tokens: int | None, max_tokens: int | None) -> bool:
    """Tell whether a reply ended for its length, by its finish reason, or where it has none by its tokens."""
    if finish_reason is None:
        return max_tokens is not None and output_tokens is not None and output_tokens >= max_tokens
    return any(reason in finish_reason.casefold() for reason in CUT)


def _parsed(settings: SamplingSettings, question: Question, reply: Reply) -> dict[str, Any]:
    """Return the record's `answer` or `probs`; an answer that cannot be parsed is ""."""
    # Completions without thoughts begin with their answer, and are cut after it.
    thinks = settings.api == "chat" or settings.chain_of_thought
    cut = thinks and was_cut(reply.finish_reason, reply.output_tokens, settings.max_tokens)
    if settings.format == "open":
        return {"answer": "", "open_answer": tagged_answer(reply.text, cut)}
    if settings.format == "probability":
        probs = probabilities(reply.text, question.labels, cut)
        return {"answer": ""} if probs is None else {"probs": probs}
    return {"answer": final_answer(reply.text, question.labels, question.options, cut)}
