"""Prompts: texts with a name and a version, rendered for chats and for completions."""

import functools
import json
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal, NamedTuple, get_args

from hotmess_jax.llm.sampling.benchmarks.question import Benchmark, Question
from hotmess_jax.llm.sampling.seeds import derived_seed
from kernels.names import check_name

Format = Literal["choice", "probability", "open"]


class Prompt(NamedTuple):
    """What is asked: a chat's two messages, or a completion's text with an empty `system`."""

    system: str
    text: str


@dataclass(frozen=True)
class PromptText:
    """One of the texts in `prompt_texts/`, whose comments say where it comes from.

    `{question}`, `{options}`, `{label}`, `{text}`, `{about}`, `{example}`, `{certain}` are filled in.
    """

    name: str
    version: int
    system: str
    introduction: str
    question: str
    option: str
    instruction: str
    answer: str
    solved: str

    @property
    def label(self) -> str:
        """The name and version that go into each record."""
        return f"{self.name}@{self.version}"


@functools.cache
def prompt_text(name: str) -> PromptText:
    """Return the text of this name.

    Raises:
        ValueError: where there is none.
    """
    texts = resources.files("hotmess_jax.llm.sampling").joinpath("prompt_texts")
    check_name("prompt", name, sorted(of.name.removesuffix(".toml") for of in texts.iterdir()))
    file = texts.joinpath(f"{name}.toml")
    return PromptText(name=name, **tomllib.loads(file.read_text(encoding="utf-8")))


def prompt_name(benchmark: str, format: Format, chain_of_thought: bool, chat: bool) -> str:
    """Return which text a benchmark, a format and an endpoint call for.

    Raises:
        ValueError: for a combination that has none, or another benchmark or format.
    """
    check_name("benchmark", benchmark, get_args(Benchmark))
    check_name("format", format, get_args(Format))
    if chain_of_thought and format != "choice":
        raise ValueError(f"chain of thought has the choice format only, got {format!r}")
    if format == "open":
        if benchmark != "mwe":
            raise ValueError(f"only mwe has an open format, got benchmark {benchmark!r}")
        return "open"
    if format == "probability" or chain_of_thought:
        return "probability" if format == "probability" else "chain_of_thought"
    return "tagged" if benchmark == "mwe" and chat else "choice"


def render(text: PromptText, question: Question, shots: Sequence[Question], chat: bool) -> Prompt:
    """Return the prompt of a question after its solved examples."""
    lines = [text.introduction.format(about=_about(question, shots))] if shots else []
    for shot in shots:
        solved = text.solved.format(label=shot.target, certain=_distribution(shot, certain=True))
        lines.append(_asked(text, shot) + text.answer + solved)
    if not chat:
        return Prompt("", "".join([*lines, _asked(text, question), text.answer]))
    instruction = text.instruction.format(example=_distribution(question, certain=False))
    asked = "\n\n".join(part for part in (_asked(text, question), instruction) if part)
    return Prompt(text.system, "".join([*lines, asked]))


def draw_shots(corpus: Sequence[Question], shots: int, seed: int) -> list[Question]:
    """Return one context's solved examples and one to spare, for the question that is among them.

    All questions thus get the same examples in the same order, and their prompts begin alike.

    Args:
        corpus: where examples are drawn from, in any order; wrong labels are left out.
        shots: how many examples a prompt is to have.
        seed: of the context.

    Raises:
        ValueError: where the corpus holds too few questions.
    """
    usable = sorted(
        (q for q in corpus if q.extra.get("error_type", "ok") == "ok"), key=lambda q: q.question_id
    )
    if len(usable) < shots + 1:
        raise ValueError(f"{shots} shots need {shots + 1} questions to draw from, got {len(usable)}")
    return random.Random(seed).sample(usable, shots + 1)


def without(drawn: Sequence[Question], question: Question) -> list[Question]:
    """Return what `draw_shots` drew, without the question that is asked or else the spare one."""
    return [q for q in drawn if q.question_id != question.question_id][: len(drawn) - 1]


def context_seed(run_seed: int, benchmark: str, topic: str | None, context: int) -> int:
    """Return the seed from which a context's examples are drawn."""
    return derived_seed(run_seed, "shots", benchmark, topic or "", context)


def _asked(text: PromptText, question: Question) -> str:
    options = "\n".join(
        text.option.format(label=label, text=option)
        for label, option in zip(question.labels, question.options, strict=True)
    )
    return text.question.format(question=question.text, options=options)


def _about(question: Question, shots: Sequence[Question]) -> str:
    """Return the topic, where question and examples share it."""
    shared = {question.topic, *(shot.topic for shot in shots)}
    return f" about {question.topic.replace('_', ' ')}" if len(shared) == 1 and question.topic else ""


def _distribution(question: Question, certain: bool) -> str:
    """Return a distribution over the labels as JSON: the target's, or an example that favours none."""
    labels = question.labels
    if certain:
        return json.dumps({label: float(label == question.target) for label in labels})
    return json.dumps({label: round(1 / len(labels), 2) for label in labels})
