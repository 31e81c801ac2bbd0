"""What a sample of an Inspect log holds: the model's generations before scoring, its reasoning, its score."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Names of scores, or of metrics, whose best value is 0.
_DISTANCES = (
    "distance", "error", "loss", "perplexity", "wer", "cer", "ter", "edit", "levenshtein", "mae", "mse",
    "rmse", "brier", "nll",
)  # fmt: skip


@dataclass(frozen=True)
class Generations:
    """The evaluated model's generations before scoring; what is not known of them is None."""

    number: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    # Their messages.
    messages: Sequence[Any]


def generations(log: Any, sample: Any) -> Generations:
    """Return what the evaluated model generated before it was scored, without graders and simulated users.

    A log whose events were not kept has the model's own usage instead, unless another role, or a scorer
    that asks a model, may have its name too.
    """
    events = list(_before_scoring(sample.events or []))
    own = [
        event
        for event in events
        if event.event == "model"
        and event.model == log.eval.model
        and _is_evaluated(getattr(event, "role", None))
        and not event.error
        and event.output.choices
    ]
    if own:
        usage = [event.output.usage for event in own if event.output.usage is not None]
        messages = [event.output.choices[0].message for event in own]
        whole = usage if len(usage) == len(own) else []
        return Generations(
            len(own), _total(whole, "output_tokens"), _total(whole, "reasoning_tokens"), messages
        )
    messages = [message for message in sample.messages if message.role == "assistant"]
    usage_of = dict(sample.model_usage or {})
    shared = _shares_its_name(log) or (len(usage_of) > 1 and log.eval.model not in usage_of)
    usage = [usage_of[log.eval.model]] if log.eval.model in usage_of else list(usage_of.values())
    if shared:
        usage = []
    return Generations(
        len(messages) or None,
        _total(usage, "output_tokens"),
        _total(usage, "reasoning_tokens"),
        messages,
    )


def _before_scoring(events: Sequence[Any]) -> Iterator[Any]:
    """Yield the events that are in no scorer: those of spans, and of steps in older logs."""
    scoring: set[str] = set()
    steps = 0
    for event in events:
        if event.event == "span_begin":
            if event.type in ("scorers", "scorer") or event.parent_id in scoring:
                scoring.add(event.id)
        elif event.event == "step" and event.type == "scorer":
            steps += 1 if event.action == "begin" else -1
        elif not steps and getattr(event, "span_id", None) not in scoring:
            yield event


def _is_evaluated(role: str | None) -> bool:
    return role in (None, "", "default", "evaluated", "target", "model")


def _shares_its_name(log: Any) -> bool:
    """Tell whether something else than the evaluated model may have its usage."""
    roles = (getattr(log.eval, "model_roles", None) or {}).values()
    models = [one for role in roles for one in (role if isinstance(role, list) else [role])]
    graded = any("model_graded" in scorer.name for scorer in log.eval.scorers or [])
    return graded or any(getattr(one, "model", None) == log.eval.model for one in models)


def _total(usage: Sequence[Any], name: str) -> int | None:
    counts = [getattr(one, name) for one in usage if getattr(one, name) is not None]
    return sum(counts) if counts else None


def reasoning_of(messages: Sequence[Any]) -> str | None:
    """Return the reasoning that stands in content blocks, of redacted ones the summary."""
    found = []
    for message in messages:
        blocks = message.content if isinstance(message.content, list) else []
        for block in blocks:
            if block.type == "reasoning":
                text = (block.summary or "") if block.redacted else block.reasoning
                found += [text.strip()] if text and text.strip() else []
    return "\n\n".join(found) or None


def transcript_of(messages: Sequence[Any]) -> str | None:
    """Return what a model said in all its turns, its reasoning in think tags; None for a single turn."""
    if len(messages) < 2:
        return None
    turns = []
    for message in messages:
        thought = reasoning_of([message])
        parts = [f"<think>{thought}</think>" if thought else "", message.text]
        parts += [
            f"{call.function}({call.arguments})" for call in getattr(message, "tool_calls", None) or []
        ]
        turns.append("\n".join(part for part in parts if part))
    return "\n\n".join(turns)


def score_of(sample: Any, scorer: str | None) -> tuple[str | None, Any]:
    """Return the name and the score that was asked for, or the first that states an answer."""
    scores: Mapping[str, Any] = sample.scores or {}
    if scorer is not None:
        return scorer, scores.get(scorer)
    stating = [(name, score) for name, score in scores.items() if score.answer is not None]
    return next(iter(stating or scores.items()), (None, None))


def value_of(value: Any) -> float | None:
    """Return a score as Inspect's metrics count it: P is a half; None where it is none, or N.

    Source: `inspect_ai.scorer.value_to_float`.
    """
    if isinstance(value, str):
        known = {"C": 1.0, "I": 0.0, "P": 0.5, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
        for said in (value, value.lower()):
            if said in known:
                return known[said]
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def is_no_answer(value: Any) -> bool:
    """Tell whether a score says that there was no answer."""
    return isinstance(value, str) and value == "N"


def is_distance(name: str, values: Sequence[float], metrics: Sequence[str] = ()) -> bool:
    """Tell whether values are no score between 0 and 1: out of its range, or of a name whose best is 0."""
    words = {word for said in (name, *metrics) for word in said.lower().replace("-", "_").split("_")}
    return any(not 0 <= value <= 1 for value in values) or bool(words & set(_DISTANCES))
