"""Any OpenAI-compatible endpoint: what is sent, what comes back, and what it is found to take."""

import asyncio
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import openai

from hotmess_jax.llm.sampling.asks import Prompt, Reply, SamplingSettings
from hotmess_jax.llm.sampling.capabilities import LENGTH_FIELDS, Capabilities, refused_name
from hotmess_jax.llm.sampling.failures import (
    RETRIED,
    EndpointError,
    FailureWords,
    RefusedError,
    RequestFailedError,
    may_pass,
)
from hotmess_jax.llm.sampling.pacing import Pace
from hotmess_jax.llm.sampling.replies import (
    EmptyReplyError,
    MalformedReplyError,
    Samples,
    UnreadableReplyError,
    read_samples,
)
from hotmess_jax.llm.sampling.request_fields import RequestFields
from hotmess_jax.llm.sampling.retries import Retries
from hotmess_jax.llm.sampling.seeds import derived_seed
from hotmess_jax.llm.sampling.vectors import read_vectors

HARMLESS = Prompt("", "Say yes.")


class Answered(NamedTuple):
    """What a request gave."""

    replies: list[Reply]
    # As it was sent; None where none was.
    seed: int | None
    # How many choices came, those that say nothing too.
    choices: int
    # Whether a length came that only all samples of the request share.
    shared_length: bool


def api_key(variable: str) -> str:
    """Return the key that an environment variable holds, "none" where it holds none.

    White space around it is no part of it: files have line ends.

    Raises:
        ValueError: where no header can hold it; the key is not shown.
    """
    key = os.environ.get(variable, "").strip()
    if any(not "!" <= character <= "~" for character in key):
        raise ValueError(
            f"the key in {variable} holds white space, or what is no ASCII character: no header can hold it"
        )
    return key or "none"


def same_host(url: str, other: str | None) -> bool:
    """Tell whether two base URLs have the same scheme, host and port: one's key is for the other too."""
    parts = [urlsplit(each) for each in (url, other or "")]
    own, others = (
        (part.scheme, part.hostname, part.port or {"http": 80, "https": 443}.get(part.scheme))
        for part in parts
    )
    return own == others


def _host(base_url: str) -> str:
    """Return a base URL's host.

    Raises:
        ValueError: for one that is none, or holds a password.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base-url must begin with http:// or https://, got {base_url!r}")
    if parts.username or parts.password:
        raise ValueError("base-url must hold no user name or password; keys come from the environment")
    return parts.hostname


class Endpoint:
    """A client of one model behind one base URL."""

    def __init__(
        self,
        settings: SamplingSettings,
        base_url: str,
        key: str,
        *,
        timeout_s: float = 600.0,
        attempts: int = 8,
        patience_s: float = 1_800.0,
        extra_body: Mapping[str, Any] | None = None,
        capabilities: Capabilities | None = None,
        on_retry: Callable[[], None] = lambda: None,
        on_learnt: Callable[[Capabilities], None] = lambda capabilities: None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            settings: of the run.
            base_url: up to and with /v1.
            key: sent as the bearer token, and cut out of every text that comes back.
            timeout_s: of one attempt, from first byte to last.
            attempts: of one request; being told to wait uses none up.
            patience_s: how long an endpoint that is away, or tells to wait, is waited for.
            extra_body: further fields of every request.
            capabilities: what it was found to take before.
            on_retry: called before each attempt after the first.
            on_learnt: called when more is known of what it takes.

        Raises:
            ValueError: for a base URL that is none, or holds a password, or a budget that its provider
                does not take.
        """
        host = _host(base_url)
        self.base_url = base_url
        self.capabilities = capabilities or Capabilities()
        if settings.no_seed:
            self.capabilities = dataclasses.replace(self.capabilities, seed_bits=0)
        self.pace = Pace(patience_s)
        self.empty = 0
        """Samples that came empty, and were asked for again."""
        self._settings = settings
        self._words = FailureWords(key, timeout_s)
        self._timeout_s = timeout_s
        self._fields = RequestFields(settings, base_url, dict(extra_body or {}))
        self._on_learnt = on_learnt
        self._retries = Retries(base_url, self.pace, self._words, attempts, self._known, on_retry)
        self._models: list[str] = []
        # Whether any request was taken: then what is refused is refused for itself.
        self._proven = False
        self._negotiated = False
        asked = settings.thinking_budget or (settings.api == "chat" and settings.reasoning_effort)
        if asked and not self._fields.budget_forms():
            kind = "tokens" if settings.thinking_budget is not None else "words"
            raise ValueError(f"{host} takes no reasoning budget in {kind}")
        # Retries are counted and waited for in one place, which is not the client.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=key, max_retries=0, timeout=timeout_s
        )

    @property
    def is_vllm(self) -> bool:
        """Whether it is a vLLM server."""
        return self._fields.is_vllm

    @is_vllm.setter
    def is_vllm(self, is_vllm: bool) -> None:
        self._fields.is_vllm = is_vllm

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def check(self) -> list[str]:
        """Ask for the list of models, which is advice: the first requests decide.

        Returns:
            What is odd about it, a line each.

        Raises:
            EndpointError: where there is nobody to connect to.
        """
        try:
            reply = await self._client.models.with_raw_response.list(timeout=min(30.0, self._timeout_s))
            body = json.loads(reply.content)
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ in (
                "ConnectError",
                "ConnectTimeout",
                "UnsupportedProtocol",
            ):
                raise EndpointError(
                    f"{self.base_url} cannot be used: {self._words.said(error)}"
                ) from None
            return [
                f"{self.base_url} gives no list of models ({self._words.said(error)}); it is asked anyway"
            ]
        except (openai.OpenAIError, ValueError) as error:
            return [
                f"{self.base_url} gives no list of models ({self._words.said(error)}); it is asked anyway"
            ]
        rows = body.get("data") or body.get("models") if isinstance(body, dict) else body
        rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        names = (row.get("id") or row.get("name") or row.get("model") for row in rows)
        self._models = sorted(name for name in names if isinstance(name, str))
        self.is_vllm = any(row.get("owned_by") == "vllm" for row in rows)
        own = _spelt(self._settings.model)
        if self._models and not any(_spelt(name) == own for name in self._models):
            return [
                f"{self.base_url} does not list {self._settings.model!r}{self._known()}; it is asked anyway"
            ]
        return []

    async def ask(self, prompt: Prompt, n: int, seed: int) -> Answered:
        """Return up to n samples of the reply to a prompt.

        What the endpoint refuses by name is sent otherwise, or not at all; that is kept in `capabilities`.

        Args:
            prompt: what is asked.
            n: how many samples are wanted.
            seed: of this request; where a reply is empty, the next attempt has another.

        Raises:
            EndpointError: where no request can succeed.
            RefusedError: where this one is refused.
            RequestFailedError: where it has failed for good.
        """
        trial = self.capabilities
        empty = 0

        async def once() -> tuple[Answered, Mapping[str, str]]:
            nonlocal empty, trial
            sent = trial.sent_seed(derived_seed(seed, empty) if empty else seed)
            try:
                samples, headers = await self._ask_once(prompt, n, sent, trial)
            except EmptyReplyError:
                empty += 1
                self.empty += n
                raise
            if (shorter := self._fields.other_length(trial, samples)) is not None:
                try:
                    samples, headers = await self._ask_once(prompt, n, sent, shorter)
                    trial = shorter
                except (openai.BadRequestError, openai.UnprocessableEntityError):
                    own = trial.length_fields[0]  # it takes no other: what came stands, and is named
                    note = (
                        f"the length of replies is not kept: it does not heed {own}, and takes no other"
                    )
                    trial = trial.noted(note, length_fields=(own,))
            self.empty += samples.choices - len(samples.replies)
            replies = [self._clean(reply) for reply in samples.replies[:n]]
            return Answered(replies, sent, samples.choices, samples.shared_length), headers

        while True:
            try:
                answered = await self._retries.answer(once, self._alive)
            except RefusedError as error:
                name = refused_name(error.body, self._fields.optional(trial))
                changed = self._fields.without(trial, name) if name else None
                if changed is None and n == 1 and not self._proven and not self._negotiated:
                    self._negotiated = True
                    changed = await self._negotiate(trial)
                if changed is None or changed == trial:
                    raise
                trial = changed
            else:
                self._proven = True
                if trial != self.capabilities:
                    kept = ("length_fields", "seed_bits", "dropped", "budget_form")
                    self.learn(trial.notes, **{name: getattr(trial, name) for name in kept})
                return answered

    async def serves(self) -> bool:
        """Tell whether it answers a prompt that nobody refuses, with this run's parameters.

        Raises:
            EndpointError: where no request can succeed.
        """
        try:
            await self.ask(HARMLESS, 1, 0)
        except RequestFailedError:
            return False
        return True

    def learn(self, notes: Sequence[str], **changes: Any) -> None:
        """Keep what was found out of what the endpoint takes, and say it."""
        learnt = dataclasses.replace(self.capabilities, **changes)
        for note in notes:
            learnt = learnt.noted(note)
        if learnt != self.capabilities or learnt.notes != self.capabilities.notes:
            self.capabilities = learnt
            self._on_learnt(learnt)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, from the endpoint's /embeddings.

        Raises:
            EndpointError: where no request can succeed.
            RefusedError: where this one is refused: for its number of texts, or the length of one.
            RequestFailedError: where it has failed for good.
        """

        async def once() -> tuple[list[list[float]], Mapping[str, str]]:
            reply = await self._client.embeddings.with_raw_response.create(
                model=model, input=list(texts), encoding_format="float"
            )
            return read_vectors(json.loads(reply.content), len(texts)), reply.headers

        async def alive() -> None:
            return None  # attempts decide: one vector says no more than another

        return await self._retries.answer(once, alive)

    async def count_tokens(self, text: str) -> int | None:
        """Return how many tokens a text has by a vLLM server's tokeniser, None elsewhere."""
        if not self.is_vllm:
            return None
        parts = urlsplit(self.base_url)
        url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}/tokenize"
        body = {"model": self._settings.model, "prompt": text, "add_special_tokens": False}

        async def once() -> tuple[int, Mapping[str, str]]:
            reply = await self._client.post(url, body=body, cast_to=dict[str, Any])
            if not isinstance(reply, dict) or not isinstance(reply.get("count"), int):
                raise MalformedReplyError("no count of tokens")
            return reply["count"], {}

        try:
            return await self._retries.answer(once, self._alive)
        except (EndpointError, RequestFailedError):
            return None  # a length that is not known; the sample is

    async def _alive(self) -> str | None:
        """Ask a harmless prompt once, and return what is wrong where nobody answers."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._ask_once(HARMLESS, 1, self.capabilities.sent_seed(0), self.capabilities)
        except (EmptyReplyError, UnreadableReplyError, openai.RateLimitError):
            return None
        except openai.APIStatusError as error:
            return self._words.said(error) if may_pass(error) else None
        except RETRIED as error:
            return self._words.said(error)
        return None

    async def _negotiate(self, trial: Capabilities) -> Capabilities | None:
        """Find out with a harmless prompt what it is that the endpoint does not take.

        Returns:
            Capabilities with which it answers; None where it answers anyway, or never.
        """
        if await self._takes(trial):
            return None
        for name in self._fields.optional(trial):
            changed = self._fields.without(trial, name)
            while changed is not None:
                if await self._takes(changed):
                    return changed
                following = next(
                    (other for other in LENGTH_FIELDS if other in changed.length_fields), name
                )
                name = following if name in LENGTH_FIELDS else name
                changed = self._fields.without(changed, name)
        return None

    async def _takes(self, trial: Capabilities) -> bool:
        async def once() -> tuple[Samples, Mapping[str, str]]:
            return await self._ask_once(HARMLESS, 1, trial.sent_seed(0), trial)

        try:
            await self._retries.answer(once, self._alive)
        except RequestFailedError:
            return False
        return True

    async def _ask_once(
        self, prompt: Prompt, n: int, seed: int | None, trial: Capabilities
    ) -> tuple[Samples, Mapping[str, str]]:
        body = self._fields.of(trial) | ({"n": n} if n > 1 else {})
        if seed is not None:
            body["seed"] = seed
        model = self._settings.model
        if self._settings.api == "chat":
            messages: list[Any] = [{"role": "user", "content": prompt.text}]
            if prompt.system:
                messages.insert(0, {"role": "system", "content": prompt.system})
            chats = self._client.chat.completions.with_raw_response
            reply: Any = await chats.create(model=model, messages=messages, extra_body=body)
        else:
            completions = self._client.completions.with_raw_response
            reply = await completions.create(model=model, prompt=prompt.text, extra_body=body)
        return read_samples(json.loads(reply.content), self._settings.api == "chat"), reply.headers

    def _known(self) -> str:
        if not self._models:
            return ""
        return "; it has " + ", ".join(self._models[:8]) + (", …" if len(self._models) > 8 else "")

    def _clean(self, reply: Reply) -> Reply:
        return reply._replace(
            text=self._words.without_key(reply.text),
            reasoning=reply.reasoning and self._words.without_key(reply.reasoning),
            finish_reason=reply.finish_reason and self._words.without_key(reply.finish_reason),
        )


def _spelt(name: str) -> str:
    """Return a model's name without what providers add to it: a path, a tag, a variant."""
    return name.casefold().removeprefix("models/").rpartition("/")[2].partition(":")[0]
