"""Sampling with vLLM in this process, without a server; needs the extra vllm."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotmess_jax.llm.sampling.asks import Ask, Reply, SamplingSettings, sampling_parameters, to_record
from hotmess_jax.llm.sampling.children import ending_with_this_process
from hotmess_jax.llm.sampling.collect import Counts
from hotmess_jax.llm.sampling.record_file import RecordFile

# Requests that wait in the engine: enough to keep any device busy.
REQUESTS_IN_THE_ENGINE = 4_096

Split = Callable[[str], tuple[str | None, str]]


def collect_offline(
    settings: SamplingSettings,
    asks: Iterator[Ask],
    file: RecordFile,
    counts: Counts,
    engine_arguments: Mapping[str, Any],
    on_progress: Callable[[], None] = lambda: None,
    stop_here: Callable[[], bool] = lambda: False,
) -> None:
    """Generate all that is missing, and append each request's records as it ends.

    Where the process is killed, the engine's processes end too.

    Args:
        settings: of the run.
        asks: what is missing, made as it is needed.
        file: where records go, open.
        counts: kept up to date.
        engine_arguments: further arguments of `vllm.LLM`; with `reasoning_parser` that parser of vLLM's
            tells reasoning from answers.
        on_progress: called after each request.
        stop_here: asked between the engine's steps; where it says so, what has ended by then is in the
            file, and the rest is left.

    Raises:
        WriteFailedError: where the disk refuses a record.
        ValueError: where vLLM is not installed, or does not take the arguments.
    """
    try:
        import vllm
    except ImportError:
        raise ValueError("offline sampling needs vLLM: pip install -e '.[llm,vllm]'") from None
    first = next(asks, None)
    if first is None:
        return
    asks = itertools.chain([first], asks)
    arguments = {"enable_prefix_caching": True, "seed": 0} | dict(engine_arguments)
    with ending_with_this_process():
        try:
            model = vllm.LLM(model=settings.model, **arguments)
        except (TypeError, ValueError, OSError) as error:
            raise ValueError(f"vLLM cannot load {settings.model!r}: {error}") from None
        parser = arguments.get("reasoning_parser")
        engine = _Engine(vllm, model, parser, settings, file, counts)
        while not stop_here():
            engine.add(itertools.islice(asks, engine.room))
            if engine.waiting:
                engine.step(on_progress)
            elif (following := next(asks, None)) is None:
                return
            else:
                asks = itertools.chain([following], asks)


class _Engine:
    """vLLM's engine with the requests that wait in it; what ends is written down."""

    def __init__(
        self,
        vllm: Any,
        model: Any,
        parser: str | None,
        settings: SamplingSettings,
        file: RecordFile,
        counts: Counts,
    ) -> None:
        self.waiting: dict[str, Ask] = {}
        self._vllm, self._settings, self._file, self._counts = vllm, settings, file, counts
        self._engine, self._tokenizer = model.llm_engine, model.get_tokenizer()
        self._split = reasoning_parser(parser, self._tokenizer)
        self._names = map(str, itertools.count())

    @property
    def room(self) -> int:
        """How many requests more it takes."""
        return REQUESTS_IN_THE_ENGINE - len(self.waiting)

    def add(self, asks: Iterable[Ask]) -> None:
        """Add requests; one that the engine does not take has failed."""
        for ask in asks:
            name, prompt = next(self._names), _prompt(self._settings, self._tokenizer, ask)
            try:
                self._engine.add_request(name, prompt, _parameters(self._vllm, self._settings, ask))
            except ValueError as error:  # a prompt that is too long
                self._file.append_failure(
                    {
                        "question_id": ask.question.question_id,
                        "context": ask.context,
                        "samples": ask.samples,
                        "reason": " ".join(str(error).split())[:300],
                    }
                )
                self._counts.failed += len(ask.samples)
            else:
                self.waiting[name] = ask._replace(seed=None) if self._settings.no_seed else ask

    def step(self, on_progress: Callable[[], None]) -> None:
        """Take one step, and write down what has ended."""
        for output in self._engine.step():
            if not output.finished:
                continue
            ask = self.waiting.pop(output.request_id)
            records = []
            for sample, item in zip(ask.samples, output.outputs, strict=True):
                reasoning, text = self._split(item.text)
                reply = Reply(text, reasoning, item.finish_reason, len(item.token_ids))
                records.append(to_record(self._settings, ask, sample, reply, self._count_tokens))
                self._counts.tokens += len(item.token_ids)
            self._file.append(records)
            self._counts.done += len(records)
            on_progress()

    def _count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))


def reasoning_parser(name: str | None, tokenizer: Any) -> Split:
    """Return what splits a text into reasoning and answer: vLLM's parser of this name, or nothing does.

    Raises:
        ValueError: where vLLM has no such parser.
    """
    if not name:
        return lambda text: (None, text)
    from vllm.reasoning import ReasoningParserManager

    try:
        parser = ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"vLLM has no reasoning parser {name!r} for this model: {error}") from None
    # Its name until vLLM 0.11.
    extract = getattr(parser, "extract_reasoning", None) or parser.extract_reasoning_content

    def split(text: str) -> tuple[str | None, str]:
        reasoning, answer = extract(text, None)
        return reasoning, answer or ""

    return split


def _parameters(vllm: Any, settings: SamplingSettings, ask: Ask) -> Any:
    sampling = sampling_parameters(settings, offline=True)
    given = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "max_tokens": sampling.max_tokens,
        "stop": sampling.stop,
        "thinking_token_budget": settings.thinking_budget,
        "seed": None if settings.no_seed else ask.seed,
    }
    given = {name: value for name, value in given.items() if value is not None}
    parameters = vllm.SamplingParams(
        n=len(ask.samples),
        # Marks of reasoning are special tokens in many models.
        skip_special_tokens=settings.api != "chat",
        **given,
    )
    # Each request once, when all its samples are there.
    parameters.output_kind = vllm.sampling_params.RequestOutputKind.FINAL_ONLY
    return parameters


def _prompt(settings: SamplingSettings, tokenizer: Any, ask: Ask) -> Any:
    if settings.api != "chat":
        return {"prompt": ask.prompt.text}
    system = [{"role": "system", "content": ask.prompt.system}] if ask.prompt.system else []
    messages = [*system, {"role": "user", "content": ask.prompt.text}]
    effort = {"reasoning_effort": settings.reasoning_effort} if settings.reasoning_effort else {}
    try:
        text = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **effort
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{settings.model!r} has no chat template that takes this: {error}") from None
    # The template writes the special tokens that a text begins with.
    return {"prompt_token_ids": list(tokenizer.encode(text, add_special_tokens=False))}
