"""The fields of a request: what a run's settings ask for, as the endpoint takes it."""

from dataclasses import dataclass
from typing import Any

from hotmess_jax.llm.sampling.asks import CUT, SamplingSettings, sampling_parameters
from hotmess_jax.llm.sampling.budgets import budget_fields
from hotmess_jax.llm.sampling.capabilities import Capabilities
from hotmess_jax.llm.sampling.replies import Samples


@dataclass
class RequestFields:
    """The fields of all requests of a run to one endpoint."""

    settings: SamplingSettings
    base_url: str
    extra: dict[str, Any]
    """Further fields of every request."""
    is_vllm: bool = False

    def of(self, trial: Capabilities) -> dict[str, Any]:
        """Return all parameters of a request but its number of samples and its seed."""
        sampling = sampling_parameters(self.settings)
        body: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "stop": sampling.stop,
        }
        if self.settings.api != "chat":
            body["max_tokens"] = sampling.max_tokens
        elif trial.length_fields:
            body[trial.length_fields[0]] = sampling.max_tokens
        if self.is_vllm:
            body["return_token_ids"] = True  # counts the tokens of each of n samples
        if forms := self.budget_forms():
            body |= forms[min(trial.budget_form, len(forms) - 1)]
        body = {
            name: value
            for name, value in body.items()
            if value is not None and name not in trial.dropped
        }
        return body | self.extra

    def optional(self, trial: Capabilities) -> list[str]:
        """Return the parameters of a request that the endpoint may not know, the least needed first."""
        own = [name for name in self.of(trial) if name not in self.extra]
        return [*(["seed"] if trial.seed_bits else []), *reversed(own)]

    def without(self, trial: Capabilities, name: str) -> Capabilities | None:
        """Return capabilities without a parameter, or with its next form; None where that is not to be had."""
        return trial.without(name, len(self.budget_forms()))

    def other_length(self, trial: Capabilities, samples: Samples) -> Capabilities | None:
        """Return capabilities with the other field for the length, where this one is ignored.

        The first reply that is too long tells, whenever it comes: the first of all may be a short one.
        """
        longest = sampling_parameters(self.settings).max_tokens
        if longest is None or self.settings.api != "chat" or len(trial.length_fields) < 2:
            return None
        over = [reply for reply in samples.replies if (reply.output_tokens or 0) > longest]
        if not over or any((reply.finish_reason or "").casefold() in CUT for reply in over):
            return None
        own, *others = trial.length_fields
        note = f"the length is sent as {others[0]}: it does not heed {own}"
        return trial.noted(note, length_fields=tuple(others))

    def budget_forms(self) -> list[dict[str, Any]]:
        """Return the fields that a reasoning budget may be sent in, in the order in which they are tried."""
        if self.settings.api != "chat" and self.settings.reasoning_effort is not None:
            return []
        return budget_fields(
            self.base_url, self.is_vllm, self.settings.thinking_budget, self.settings.reasoning_effort
        )
