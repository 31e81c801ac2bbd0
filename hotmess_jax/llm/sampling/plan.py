"""What a run would ask, before it asks anything."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from hotmess_jax.llm.sampling.asks import (
    SamplingSettings,
    chosen_questions,
    plan_asks,
    sampling_parameters,
)
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.prompts import Prompt

# What chat templates add to a request: roles and marks, in the longest that are known a date and a system text too.
TEMPLATE_TOKENS = 64


@dataclass(frozen=True)
class Plan:
    """What is still to be asked; bounds where it depends on what the endpoint takes."""

    example: Prompt | None
    questions: int
    samples: int
    """Missing."""
    present: int
    requests: tuple[int, int]
    """Where it takes all samples of a question and context in one request, and where one only."""
    prompt_tokens: tuple[int, int]
    """At most, so."""
    template_tokens: int
    """Counted for each request's chat template."""
    longest: int | None
    """Tokens of a reply at most, None where nothing bounds them."""

    @property
    def reply_tokens(self) -> int | None:
        """Tokens of all replies at most."""
        return None if self.longest is None else self.samples * self.longest

    @property
    def why_many(self) -> str:
        """Why the number of requests has two bounds, "" where it has one."""
        return (
            " (the second where one request gives one sample)"
            if self.requests[0] < self.requests[1]
            else ""
        )

    def cost(self, bound: int, price_in: float, price_out: float) -> float:
        """Return the price of all tokens, at prices of a million."""
        return (self.prompt_tokens[bound] * price_in + (self.reply_tokens or 0) * price_out) / 1e6


def plan(
    settings: SamplingSettings,
    questions: Sequence[Question],
    present: Container[tuple[str, int, int]],
    per_request: int | None,
    offline: bool = False,
) -> Plan:
    """Return what a run would ask.

    Args:
        settings: of the run.
        questions: all of them.
        present: (question_id, context, sample) of what there is already.
        per_request: samples in one request at most, None is all of a question and context.
        offline: whether this process would generate them.
    """
    requests = samples = own = most = 0
    example = None
    template = TEMPLATE_TOKENS if settings.api == "chat" else 0
    for ask in plan_asks(settings, questions, present, per_request):
        example = example or ask.prompt
        size = len((ask.prompt.system + ask.prompt.text).encode()) + template
        requests += 1
        samples += len(ask.samples)
        own += size
        most += size * len(ask.samples)
    wanted = len(chosen_questions(settings, questions)) * settings.contexts * settings.samples
    several = not offline
    return Plan(
        example,
        len(chosen_questions(settings, questions)),
        samples,
        wanted - samples,
        (requests, samples if several else requests),
        (own, most if several else own),
        template,
        sampling_parameters(settings, offline).max_tokens,
    )
