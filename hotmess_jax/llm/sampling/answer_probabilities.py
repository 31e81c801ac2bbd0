"""Distributions over the options that responses estimate."""

import json
import math
import re
from collections.abc import Iterator, Sequence

from hotmess_jax.llm.sampling.reasoning import split_reasoning

_PROBABILITY_LINE = re.compile(
    r"^\W*\(?([A-Z])\)?\W*?\s*[:=：]\s*\**\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE]-?\d+)?)\s*(%?)[\s*,.;]*$"
)
PROBABILITY_TOLERANCE = 0.05


def probabilities(text: str, labels: Sequence[str], cut: bool = False) -> dict[str, float] | None:
    """Return the distribution over the options that a response estimates.

    Args:
        text: the response; thinking blocks are not read.
        labels: of the options.
        cut: whether it ended for its length: then only a JSON object that it ends with is read.

    Returns:
        A probability of each label, from a JSON object or lines such as "A: 0.7" or "(A) 70 %", made
        to sum to 1 where it did within 5 %; None where there is none, or two that differ.
    """
    answer = split_reasoning(text)[1]
    found = {tuple(p.values()) for p in _json_distributions(answer, labels)}
    if cut and not re.search(r"\}\W*$", answer):
        return None
    if not found and not cut:
        found = {tuple(p.values()) for p in _line_distributions(answer, labels)}
    if len(found) != 1:
        return None
    values = found.pop()
    total = math.fsum(values)
    if any(not 0 <= p <= 1 + PROBABILITY_TOLERANCE for p in values):
        return None
    if abs(total - 1) > PROBABILITY_TOLERANCE:
        return None
    return {label: p / total for label, p in zip(labels, values, strict=True)}


def _json_distributions(answer: str, labels: Sequence[str]) -> Iterator[dict[str, float]]:
    decoder = json.JSONDecoder()
    place = answer.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(answer, place)
        except ValueError:
            end = place + 1
        else:
            for inner in (value, *value.values()):
                if isinstance(inner, dict) and (found := _of_labels(inner, labels)):
                    yield found
        place = answer.find("{", end)


def _of_labels(value: dict, labels: Sequence[str]) -> dict[str, float] | None:
    """Return a JSON object's numbers in the labels' order, None where it is not about just these."""
    if set(value) != set(labels):
        return None
    found = {}
    for label in labels:
        number = value[label]
        percent = isinstance(number, str) and number.strip().endswith("%")
        try:
            found[label] = float(str(number).strip().rstrip("%")) / (100 if percent else 1)
        except ValueError:
            return None
    return _of_percents(found)


def _line_distributions(answer: str, labels: Sequence[str]) -> Iterator[dict[str, float]]:
    found: dict[str, float] = {}
    signs: set[str] = set()
    for line in answer.split("\n"):
        match = _PROBABILITY_LINE.match(line.replace("**", ""))
        if match is None or match[1] not in labels:
            continue
        if match[1] in found:  # stated again, or differently: the second block is judged on its own
            if len(found) == len(labels):
                found, signs = {}, set()
            else:
                return
        signs.add(match[3])
        found[match[1]] = float(match[2]) / (100 if match[3] else 1)
        if len(found) == len(labels) and len(signs) == 1:
            yield _of_percents({label: found[label] for label in labels})


def _of_percents(found: dict[str, float]) -> dict[str, float]:
    """Return numbers that sum to about 100 as shares."""
    if abs(sum(found.values()) - 100) <= 100 * PROBABILITY_TOLERANCE:
        return {label: value / 100 for label, value in found.items()}
    return found
