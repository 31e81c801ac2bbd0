"""What an endpoint takes, learnt from its refusals and kept, so that it is learnt once."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Fields for the length of a reply: endpoints know one, the other, or both.
LENGTH_FIELDS = ("max_completion_tokens", "max_tokens")
# What a request may do without; a budget that was asked for may not be left out.
DROPPED = ("top_k", "top_p", "temperature", "stop", "return_token_ids")
BUDGETS = (
    "reasoning_effort",
    "reasoning",
    "thinking",
    "thinking_budget",
    "thinking_token_budget",
    "enable_thinking",
    "chat_template_kwargs",
    "extra_body",
)
SHORT_SEEDS = "seeds are sent with 31 bits"


@dataclass(frozen=True)
class Capabilities:
    """What an endpoint was found to take."""

    most_n: int | None = None
    """Samples in one request at most; None is any number."""
    length_fields: tuple[str, ...] = LENGTH_FIELDS
    """Fields for the length, the first is sent; empty where it takes none."""
    seed_bits: int = 53
    """Bits of a seed; 0 where it takes none."""
    dropped: tuple[str, ...] = ()
    """Parameters that it refuses, and are left out."""
    budget_form: int = 0
    """Which of the forms of a budget it takes."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What is different from what was asked for, in words."""

    def sent_seed(self, seed: int) -> int | None:
        """Return a seed as it is sent, None where none is."""
        return seed >> (53 - self.seed_bits) if self.seed_bits else None

    def without(self, name: str, budget_forms: int = 0) -> "Capabilities | None":
        """Return these for an endpoint that refuses a parameter, None where it cannot be done without.

        Args:
            name: of the parameter.
            budget_forms: how many forms of a budget there are.
        """
        if name == "seed" and self.seed_bits:
            if self.seed_bits > 31:
                return self.noted(SHORT_SEEDS, seed_bits=31)
            kept = tuple(note for note in self.notes if note != SHORT_SEEDS)
            return dataclasses.replace(self, notes=kept).noted(
                "no seeds are sent: it refuses them", seed_bits=0
            )
        if name in LENGTH_FIELDS and self.length_fields[:1] == (name,):
            others = self.length_fields[1:]
            said = (
                f"the length is sent as {others[0]}" if others else "it refuses every length of replies"
            )
            return self.noted(said, length_fields=others)
        if name in DROPPED and name not in self.dropped:
            return self.noted(f"{name} is not sent: it refuses it", dropped=(*self.dropped, name))
        if name in BUDGETS and self.budget_form + 1 < budget_forms:
            return self.noted("the budget is sent in another form", budget_form=self.budget_form + 1)
        return None

    def noted(self, note: str, **changes: Any) -> "Capabilities":
        """Return these with changes, and what they are in words."""
        notes = self.notes if note in self.notes else (*self.notes, note)
        return dataclasses.replace(self, notes=notes, **changes)


def from_json(value: Any) -> Capabilities:
    """Return capabilities that were kept, those of an endpoint that is not known where it cannot be read."""
    known = {each.name: each.default for each in dataclasses.fields(Capabilities)}
    if not isinstance(value, dict):
        return Capabilities()
    found: dict[str, Any] = {
        name: tuple(kept) if isinstance(kept, list) else kept
        for name, kept in value.items()
        if name in known and isinstance(kept, list) == isinstance(known[name], tuple)
    }
    return Capabilities(**found)


def refused_name(body: Any, sent: Iterable[str]) -> str | None:
    """Return which of the parameters sent a refusal is about, None where it does not say.

    Args:
        body: the refusal's JSON, or its text.
        sent: names of the parameters.
    """
    names = sorted(sent, key=len, reverse=True)
    for place in _places(body):
        found = [name for name in names if name in re.split(r"[^\w]+", place)]
        if found:
            return found[0]
    text = body if isinstance(body, str) else json.dumps(_without_input(body))
    said = [
        (match.start(), name)
        for name in names
        # A bare "n" or "stop" may be a word.
        if (
            match := re.search(
                rf"(?<!\w){name}(?!\w)"
                if name not in ("n", "stop")
                else rf"(?:['\"`]|\\\"){name}(?:['\"`]|\\\")|\b(?:parameter|field|argument):? {name}\b",
                text,
            )
        )
    ]
    return min(said)[1] if said else None


def _places(body: Any) -> list[str]:
    """Return where a refusal's JSON says that the fault is: `param`, `loc`, as OpenAI's and FastAPI's do."""
    if isinstance(body, list):
        return [place for part in body for place in _places(part)]
    if not isinstance(body, dict):
        return []
    own = []
    for name in ("param", "loc", "parameter"):
        value = body.get(name)
        if value:
            own.append(" ".join(map(str, value)) if isinstance(value, list) else str(value))
    return own + [place for name in ("error", "detail", "errors") for place in _places(body.get(name))]


def _without_input(body: Any) -> Any:
    """Return a refusal without the request that it repeats."""
    if isinstance(body, list):
        return [_without_input(part) for part in body]
    if isinstance(body, Mapping):
        return {
            name: _without_input(part) for name, part in body.items() if name not in ("input", "ctx")
        }
    return body
