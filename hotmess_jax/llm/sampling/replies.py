"""What comes back from an endpoint, in every form that is known, read once into samples."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hotmess_jax.llm.sampling.asks import CUT, Reply

# With these, and nothing said, something went wrong on the endpoint's side.
BROKEN_OFF = ("error", "abort", "aborted", "cancelled", "internal_error")
# With these a reply that says nothing is one, since it was kept from saying it.
SAYS_WHY = (*CUT, "content_filter", "safety", "refusal", "recitation", "tool_calls", "function_call")
THOUGHTS = ("thinking", "reasoning", "reasoning.text", "reasoning.summary", "thought", "reasoning_text")
# Where parts hold their text, and what thoughts are called beside a text.
TEXTS = ("text", "content", "summary", "thinking", "reasoning", "output_text", "refusal")
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details")


class MalformedReplyError(Exception):
    """A reply that holds no samples; asking again may help."""


class EmptyReplyError(MalformedReplyError):
    """Samples that say nothing, and not why; asking again, with another seed, may help."""


class UnreadableReplyError(Exception):
    """A reply in a form that is not known; another would be no better, and cost as much."""


class Samples(NamedTuple):
    """The samples of one request."""

    replies: list[Reply]
    # How many choices there were, those that say nothing too.
    choices: int
    # Whether a length came that only all samples share.
    shared_length: bool


def read_samples(body: Any, chat: bool) -> Samples:
    """Return the samples of a reply of either API, without those that say nothing.

    Args:
        body: the reply's JSON.
        chat: whether it is a chat's; a completion may be empty, where it ends at once.

    Raises:
        MalformedReplyError: where it holds none, or something broke off.
        EmptyReplyError: where all of them say nothing, and not why.
        UnreadableReplyError: where a text is in no form that is known.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices:
        error = body.get("error") if isinstance(body, dict) else None
        raise MalformedReplyError(f"the reply holds no samples: {error or body!r}")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    # Usage is a sum over the samples of a request.
    alone = len(choices) == 1
    read = [_sample(choice, chat, usage if alone else {}) for choice in choices]
    replies = [sample for sample in read if sample is not None]
    if not replies:
        raise EmptyReplyError("the reply is empty")
    shared = not alone and _count(usage.get("completion_tokens")) is not None
    return Samples(
        replies, len(choices), shared and all(reply.output_tokens is None for reply in replies)
    )


def _sample(choice: Any, chat: bool, usage: Mapping[str, Any]) -> Reply | None:
    """Return one choice as a sample, None where it says nothing, and not why."""
    if not isinstance(choice, dict):
        raise MalformedReplyError(f"a sample is {choice!r}")
    message = choice.get("message", choice) if chat else choice
    finish = _name(choice.get("finish_reason"))
    if not isinstance(message, dict):
        if message is None and "error" not in choice:
            return None
        raise MalformedReplyError(f"a sample is {choice.get('error') or message!r}")
    value = message.get("content") if chat else message.get("text")
    text, thought = read_parts(value)
    reasoning = next(
        (found for name in REASONING_FIELDS if (found := _thoughts(message.get(name)))), ""
    )
    reasoning = reasoning or thought
    if not text and isinstance(message.get("refusal"), str) and message["refusal"]:
        text, finish = message["refusal"], "refusal"
    said = (finish or "").casefold()
    if not text and (said in BROKEN_OFF or choice.get("error")):
        raise MalformedReplyError(
            f"a sample was broken off: {choice.get('error') or f'finish reason {finish!r}'}"
        )
    if not chat and value is None and finish is None:
        raise MalformedReplyError("a sample holds neither a text nor why there is none")
    if chat and not text.strip() and not reasoning and not any(why in said for why in SAYS_WHY):
        return None
    tokens = choice.get("token_ids")
    details = usage.get("completion_tokens_details")
    thinking = details.get("reasoning_tokens") if isinstance(details, dict) else None
    return Reply(
        text,
        reasoning or None,
        finish,
        len(tokens) if isinstance(tokens, list) and tokens else _count(usage.get("completion_tokens")),
        _count(usage.get("reasoning_tokens") if thinking is None else thinking),
    )


def read_parts(value: Any) -> tuple[str, str]:
    """Return the text and the thoughts of a content: a text, or parts of several kinds.

    Raises:
        UnreadableReplyError: where it is neither.
    """
    if value is None:
        return "", ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, list):
        parts = [read_parts(part) for part in value]
        return "".join(text for text, _ in parts), "\n".join(thought for _, thought in parts if thought)
    if isinstance(value, dict):
        kind = _name(value.get("type")) or ""
        if kind in THOUGHTS or (not kind and "thinking" in value and "text" not in value):
            return "", _thoughts(value)
        for name in ("text", "content", "output_text", "refusal"):
            if isinstance(value.get(name), str | list | dict):
                return read_parts(value[name])
        if kind:
            return "", ""  # an image, a call of a tool: no text
    raise UnreadableReplyError(f"a sample's text is {value!r}")


def _thoughts(value: Any) -> str:
    """Return all text in a reasoning of whatever form."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(found for part in value if (found := _thoughts(part)))
    if isinstance(value, dict):
        return next((found for name in TEXTS if (found := _thoughts(value.get(name)))), "")
    return ""


def _name(value: Any) -> str | None:
    """Return what should be a word as one."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _count(value: Any) -> int | None:
    """Return a number of tokens, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return int(value)
