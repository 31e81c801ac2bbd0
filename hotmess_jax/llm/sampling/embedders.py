"""What makes vectors of a run's answers: a model of an endpoint, or a local one."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from hotmess_jax.llm.sampling.embeddings import Embed, TextsRefusedError, embed_records
from hotmess_jax.llm.sampling.endpoint import Endpoint, api_key, same_host
from hotmess_jax.llm.sampling.failures import RefusedError
from hotmess_jax.llm.sampling.run_settings import LlmSampleConfig
from hotmess_jax.presentation.lines import say


@contextlib.contextmanager
def embedder(config: LlmSampleConfig) -> Iterator[Embed | None]:
    """Yield what makes vectors of texts, the local model loaded; None where no vectors are wanted."""
    if config.embed_local:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ValueError(
                "embed-local needs sentence-transformers: pip install -e '.[embed]'"
            ) from None
        try:
            model = SentenceTransformer(config.embed_local)
        except (OSError, ValueError) as error:
            raise ValueError(f"embed-local cannot load {config.embed_local!r}: {error}") from None

        def local(texts: Sequence[str]) -> Any:
            most = model.max_seq_length
            for text in texts:  # it would cut without a word
                tokens = len(model.tokenizer(text, truncation=False)["input_ids"])
                if most and tokens > most:
                    raise TextsRefusedError(f"a text of {tokens} tokens, and the model takes {most}")
            return model.encode(list(texts))

        yield local
        return
    if not config.embed:
        yield None
        return
    url, key = config.embed_base_url or config.base_url or "", embed_key(config)

    endpoint = Endpoint(config, url, key, timeout_s=config.timeout, patience_s=config.wait_minutes * 60)
    with asyncio.Runner() as runner:

        def served(texts: Sequence[str]) -> list[list[float]]:
            try:
                return runner.run(endpoint.embed(config.embed or "", texts))
            except RefusedError as error:
                raise TextsRefusedError(f"{url}: {error}") from None

        try:
            yield served
        finally:
            runner.run(endpoint.close())


def write_vectors(config: LlmSampleConfig, embed: Embed, console: Console) -> None:
    """Write the vectors of the answers beside the records."""

    def on_progress(done: int, lines: int) -> None:
        say(console, f"{done} of {lines} answers embedded")

    found = embed_records(config.out, embed, on_progress, config.embed_too_long)
    said = f"{found.lines} answers have a vector, {found.empty} samples have no answer"
    if found.cut:
        said += f", of {found.cut} only the beginning was embedded: they are too long for the model"
    if found.left_out:
        said += f", {found.left_out} are too long for the model and have none"
    say(console, said)


def embed_key(config: LlmSampleConfig) -> str:
    """Return the embedding endpoint's key: its own, or the sampling endpoint's on the same host."""
    if config.embed_api_key_variable is not None:
        return api_key(config.embed_api_key_variable)
    if config.embed_base_url is None or same_host(config.embed_base_url, config.base_url):
        return api_key(config.api_key_variable)
    return "none"
