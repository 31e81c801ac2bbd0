# ruff: noqa: E501
"""Servers that answer as endpoints do, a row each: what is odd about them is all that differs.

A sample says one of the letters A, B, C, which the seed or else the server's own die decides, and where the
form reasons its reasoning states the letter D, which is nobody's answer.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

THOUGHT = "It may be D. Answer: D\nThe answer is D."
MODEL = "made-up"


@dataclass(kw_only=True)
class Form:
    """One form of endpoint."""

    models: Any = field(default_factory=lambda: [MODEL])
    """What it lists; a number is the status that it refuses with, a text its page."""
    refuses: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Fields that it refuses, with status and error."""
    most_n: int | None = None
    """The most samples a request; more are refused, as `n_error` says, or else not given."""
    n_error: tuple[int, Any] | None = None
    longest_seed: int | None = None
    seeds: str = "each"
    """Whether each choice is drawn apart, or all with one seed."""
    length: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    """Fields for the length that it heeds."""
    shape: str = "content"
    """How reasoning and text are written; see `message`."""
    finish: Any = "stop"
    usage: bool = True
    empty_every: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    loading: int = 0
    """So many requests find it loading."""
    expects: str = ""
    """What is said of it."""
    reasons: bool = False
    short: int = 0
    """So many replies are short, whatever was asked for."""
    alone: bool = False
    """Whether samples are asked for one by one in the end."""


def error(message, **more):
    return {"error": {"message": message, **more}}


def named(name):
    return 400, error(f"Unsupported parameter: '{name}' is not supported with this model.", param=name)


FORMS = {
    "plain, as OpenAI's": Form(),
    "vLLM": Form(models=[{"id": MODEL, "owned_by": "vllm"}], shape="token_ids"),
    "Ollama": Form(models=[f"{MODEL}:latest"], most_n=1, shape="reasoning", reasons=True, alone=True),
    "llama-cpp-python": Form(
        models=["/models/file.gguf"], most_n=1, length=("max_tokens",), alone=True, expects="sent as max_tokens"
    ),
    "llama-cpp-python, short at first": Form(
        models=["/models/file.gguf"], most_n=1, length=("max_tokens",), short=6, alone=True, expects="sent as max_tokens"
    ),
    "no length is heeded": Form(
        refuses={"max_tokens": named("max_tokens")}, most_n=1, length=(), short=3, alone=True, expects="takes no other"
    ),
    "llama.cpp's server": Form(
        shape="reasoning_content", loading=3, most_n=1, n_error=(501, error("Only one completion choice is allowed")), reasons=True, alone=True
    ),
    "OpenRouter": Form(models=[f"vendor/{MODEL}:free"], shape="details", reasons=True, most_n=1, alone=True),
    "Gemini": Form(
        models=[f"models/{MODEL}"], most_n=8, n_error=(400, [error("candidateCount must be at most 8")]),
        longest_seed=2**31 - 1, empty_every=4, expects="at most 4 samples a request",
    ),
    "Mistral": Form(
        refuses={
            "seed": (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 5}]}),
            "max_completion_tokens": (422, {"detail": [{"loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted"}]}),
        },
        shape="parts", reasons=True, alone=True, expects="no seeds are sent",
    ),
    "Cohere": Form(models=404, shape="cohere", reasons=True, alone=True, expects="one by one"),
    "gpt-oss, its tokens left": Form(shape="harmony", reasons=True, alone=True),
    "gpt-oss, its tokens cut": Form(shape="harmony text", reasons=True, alone=True),
    "Anthropic": Form(models=501, most_n=1, n_error=(400, error("n: must be 1")), alone=True, expects="at most 1 sample a request"),
    "OpenAI's that reason": Form(refuses={"temperature": named("temperature"), "max_tokens": named("max_tokens")}, shape="hidden", expects="temperature is not sent"),
    "a gateway with a page": Form(models="<html>Welcome</html>", headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "10ms"}),
    "a gateway that says nothing": Form(models=500, refuses={"top_k": (400, "Bad Request")}, expects="top_k is not sent"),
    "one seed for all": Form(seeds="one", alone=True, expects="one by one"),
    "31 bits": Form(models=400, longest_seed=2**31 - 1, expects="31 bits"),
    "reasoning as an object": Form(shape="object", reasons=True, alone=True),
    "finish reason as an object": Form(finish={"type": "stop"}),
    "no usage, null fields": Form(models=429, usage=False, shape="nulls"),
}  # fmt: skip


def message(shape, text):
    """Return a chat's message, and what else its choice holds."""
    if shape == "reasoning":
        return {"content": text, "reasoning": THOUGHT}, {}
    if shape == "reasoning_content":
        return {"content": text, "reasoning_content": THOUGHT}, {}
    if shape == "object":
        return {"content": text, "reasoning": {"type": "summary", "content": [{"text": THOUGHT}]}}, {}
    if shape == "details":
        details = [
            {"type": "reasoning.text", "text": THOUGHT},
            {"type": "reasoning.encrypted", "data": "x"},
        ]
        return {"content": text, "reasoning": None, "reasoning_details": details}, {}
    if shape == "parts":
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}
        return {"content": [thinking, {"type": "text", "text": text}]}, {}
    if shape == "cohere":
        return {
            "content": f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{text}<|END_RESPONSE|>"
        }, {}
    if shape == "harmony":
        final = f"<|end|><|start|>assistant<|channel|>final<|message|>{text}<|return|>"
        return {"content": f"<|channel|>analysis<|message|>{THOUGHT}{final}"}, {}
    if shape == "harmony text":
        return {"content": f"analysis{THOUGHT}assistantfinal{text}"}, {}
    if shape == "token_ids":
        return {"content": text, "reasoning": None}, {"token_ids": [1, 2, 3]}
    if shape == "nulls":
        return {"content": text, "refusal": None, "tool_calls": None, "audio": None}, {"logprobs": None}
    return {"content": text}, {}


class FormServer:
    """One server on loopback; at most 2,000 requests."""

    def __init__(self, form):
        self.form, self.die = form, random.Random(0)
        self.asked, self.refused, self.drawn, self.empty = [], 0, [], 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        return self

    async def serve(self, reader, writer):
        try:
            while len(self.asked) < 2_000:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(
                    (
                        line.split(":")[1]
                        for line in head.split("\r\n")
                        if line.startswith("content-length")
                    ),
                    "0",
                )
                body = await reader.readexactly(int(length))
                status, value = self.answer(head.split()[1], json.loads(body) if body else {})
                data = (value if isinstance(value, str) else json.dumps(value)).encode()
                more = "".join(f"{name}: {text}\r\n" for name, text in self.form.headers.items())
                writer.write(
                    f"HTTP/1.1 {status} X\r\n{more}content-length: {len(data)}\r\n\r\n".encode() + data
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def answer(self, path, asked):
        form = self.form
        if path.endswith("/models"):
            if isinstance(form.models, int):
                return form.models, error("no such thing")
            if isinstance(form.models, str):
                return 200, form.models
            return 200, {"data": [m if isinstance(m, dict) else {"id": m} for m in form.models]}
        if form.loading:
            form.loading -= 1
            return 503, error("Loading model")
        n, seed = asked.get("n", 1), asked.get("seed")
        refusal = next((form.refuses[name] for name in form.refuses if name in asked), None)
        if form.longest_seed is not None and seed is not None and seed > form.longest_seed:
            refusal = 400, error("Invalid value at 'generation_config.seed' (TYPE_INT32)")
        if form.most_n is not None and n > form.most_n:
            refusal, n = refusal or form.n_error, form.most_n
        if refusal is not None:
            self.refused += 1
            return refusal
        self.asked.append(asked)
        longest = min((asked[name] for name in form.length if name in asked), default=900)
        choices = []
        die = self.die if seed is None else random.Random(seed)
        letters = [die.choice("ABC") for _ in range(n)]
        for i in range(n):
            letter = letters[0 if form.seeds == "one" else i]
            self.drawn.append((seed, letter))
            content, more = message(form.shape, f"Answer: {letter}")
            if form.empty_every and (len(self.drawn) % form.empty_every) == 0:
                content, self.empty = {"content": [None, ""][self.empty % 2]}, self.empty + 1
            choices.append(
                {
                    "index": i,
                    "message": {"role": "assistant", **content},
                    "finish_reason": form.finish,
                    **more,
                }
            )
        reply = {"choices": choices, "model": MODEL, "object": "chat.completion"}
        if form.usage:
            tokens = min(longest, 900 if longest > 100 else 20)
            if form.short:
                form.short, tokens = form.short - 1, 2
            details = {"reasoning_tokens": 12} if form.shape == "hidden" else None
            reply["usage"] = {"completion_tokens": tokens * n, "completion_tokens_details": details}
        return 200, reply
