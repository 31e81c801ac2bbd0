"""What went wrong with a request: what is worth another try, what is not, and what is said of it."""

import json
from dataclasses import dataclass, field
from typing import Any

import openai

from hotmess_jax.llm.sampling.replies import MalformedReplyError


class EndpointError(Exception):
    """The endpoint cannot be used at all: a bad key, an unknown model, nobody there."""


class RequestFailedError(Exception):
    """One request failed for good; others may succeed."""


class RefusedError(RequestFailedError):
    """One request was refused: for its parameters, or for what it asks."""

    def __init__(self, said: str, body: Any) -> None:
        super().__init__(said)
        self.body = body


RETRIED = (
    openai.APIConnectionError,  # time-outs among them
    openai.RateLimitError,
    openai.InternalServerError,
    openai.ConflictError,
    openai.APIResponseValidationError,
    MalformedReplyError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    TimeoutError,
)
# 403 is not among them: it is also what a filter says of one prompt.
FATAL = (openai.AuthenticationError, openai.NotFoundError)
# The same request may succeed later.
RETRIED_STATUSES = (408, 425)
# What says that a parameter is not known, or not its value; also what a filter says.
REFUSED_STATUSES = (400, 405, 413, 415, 422, 501)
# Nobody is there, or a gateway finds nobody behind it.
GONE_STATUSES = (502, 503, 504)
WAIT_STATUSES = (503, 529)
# These come as 429, and no wait helps.
OUT_OF_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "credit_balance_too_low")
LONGEST_SAID = 300


def may_pass(error: openai.APIStatusError) -> bool:
    """Tell whether a refusal may be none later."""
    if error.status_code in REFUSED_STATUSES:
        return False
    return isinstance(error, RETRIED) or error.status_code in RETRIED_STATUSES


def is_gone(error: BaseException) -> bool:
    """Tell whether a failure looks as if nobody were there."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in GONE_STATUSES
    return isinstance(error, openai.APIConnectionError) and not isinstance(
        error, openai.APITimeoutError
    )


@dataclass(frozen=True)
class FailureWords:
    """What is said of failures, and of all that comes back, without the key."""

    key: str = field(repr=False)
    timeout_s: float
    """Of one attempt."""

    def without_key(self, text: str) -> str:
        """Return a text with the key cut out, also as JSON writes it; a very short one is none."""
        if len(self.key) < 8:
            return text
        return text.replace(self.key, "[key]").replace(json.dumps(self.key)[1:-1], "[key]")

    def said(self, error: BaseException) -> str:
        """Return what an error says, on one line, without the key: that goes before anything else."""
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            said = f"no reply within {self.timeout_s:g} s"
        elif isinstance(error, openai.APIConnectionError):
            said = f"no connection: {error.__cause__ or error}"
        elif isinstance(error, openai.APIStatusError):
            said = f"HTTP {error.status_code}: {_message(error)}"
        elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            said = "the reply is no JSON"
        else:
            said = str(error) or type(error).__name__
        return self.without_key(" ".join(self.without_key(said).split()))[:LONGEST_SAID]


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("error") or body.get("detail") or body
    return str(body or error.message)
