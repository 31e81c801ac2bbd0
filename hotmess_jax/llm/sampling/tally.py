"""What a file of samples says of itself: shares that tell what went wrong where nothing failed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotmess_jax.llm.sampling.asks import was_cut

MARKS_NAMED = 5


@dataclass(frozen=True)
class Tally:
    """Shares of all samples, 0 to 1; None where there is nothing to take a share of."""

    samples: int
    empty: float | None
    """That say nothing."""
    cut: float | None
    """That ended for their length."""
    unparsed: float | None
    """In which no answer was found."""
    identical: float | None
    """Of requests for several samples, those whose samples are all the same."""
    over_budget: float | None
    """Of those with a budget in tokens and a count, those that reasoned for longer."""
    unreasoned: float | None
    """Of those with a budget, those that show no reasoning."""
    over_length: float | None
    """Of those with a count, those longer than the length that was asked for."""
    without_length: float | None
    """Of which it is not known how long they are."""
    unknown_marks: tuple[str, ...] = ()
    """Marks that look like those of reasoning, the most frequent first."""

    def line(self) -> str:
        """Return them in one line."""
        shares = (
            ("empty", self.empty),
            ("cut", self.cut),
            ("unparsed", self.unparsed),
            ("of requests identical within", self.identical),
            ("over the budget", self.over_budget),
            ("with a budget and no reasoning", self.unreasoned),
            ("longer than max-tokens", self.over_length),
            ("without a length", self.without_length),
        )
        said = [f"{_percent(share)} {what}" for what, share in shares if share is not None]
        if self.unknown_marks:
            said.append(f"marks that are not known: {' '.join(self.unknown_marks)}")
        return f"of {self.samples:,} samples: " + ", ".join(said)

    def budget_note(self, budget: str | None) -> str | None:
        """Say that the budget that was asked for was not kept; None where it was, or none was asked for."""
        shares = (
            (self.over_budget, "reasoned for longer"),
            (self.unreasoned, "show no reasoning"),
        )
        said = [f"{_percent(share)} of its samples {what}" for share, what in shares if share]
        if budget is None or not said:
            return None
        return (
            f"A budget of {budget} was asked for and not kept: {' and '.join(said)}. What is set along a "
            "budget is along what was asked for; lengths are what was measured."
        )


def tally(records: Path, max_tokens: int | None) -> Tally:
    """Return the shares of a file of records.

    Args:
        records: as `llm_sample` writes them.
        max_tokens: the length that was asked for, None where none was.
    """
    with records.open(encoding="utf-8", newline="\n") as stream:
        return tally_of((json.loads(line) for line in stream), max_tokens)


def tally_of(records: Iterable[Mapping[str, Any]], max_tokens: int | None) -> Tally:
    """Return the shares of records; see `tally`."""
    samples = empty = cut = unparsed = without = 0
    over: list[bool] = []
    unreasoned: list[bool] = []
    longer: list[bool] = []
    marks: Counter[str] = Counter()
    # Of each request: a sample of it, how many there are, and whether any differs.
    requests: dict[tuple, tuple[int, int, bool]] = {}
    for record in records:
        samples += 1
        said = hash((record.get("text"), record.get("reasoning")))
        tokens, thought = record.get("output_tokens"), record.get("reasoning_tokens")
        empty += not record.get("text") and not record.get("reasoning")
        cut += was_cut(record.get("finish_reason"), tokens, max_tokens)
        open_answer = record.get("open_answer")
        unparsed += not (record.get("answer") or record.get("probs") or open_answer)
        without += tokens is None and thought is None
        budget = record.get("budget")
        if budget is not None:
            unreasoned.append(not record.get("reasoning") and not thought)
            if isinstance(budget, int) and thought is not None:
                over.append(thought > budget)
        if max_tokens is not None and tokens is not None:
            longer.append(tokens > max_tokens)
        marks.update(record.get("unknown_marks") or ())
        if (request := record.get("request")) is not None:
            key = record["question_id"], record.get("context"), request
            first, count, differs = requests.get(key, (said, 0, False))
            requests[key] = first, count + 1, differs or said != first
    several = [not differs for _, count, differs in requests.values() if count > 1]
    return Tally(
        samples,
        _share(empty, samples),
        _share(cut, samples),
        _share(unparsed, samples),
        _share(sum(several), len(several)),
        _share(sum(over), len(over)),
        _share(sum(unreasoned), len(unreasoned)),
        _share(sum(longer), len(longer)),
        _share(without, samples),
        tuple(mark for mark, _ in marks.most_common(MARKS_NAMED)),
    )


def _share(count: int, of: int) -> float | None:
    return count / of if of else None


def _percent(share: float) -> str:
    """Return a share in percent; what is not nothing does not round to it."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"
