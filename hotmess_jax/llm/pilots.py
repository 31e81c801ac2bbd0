"""A pilot of samples, and the moments that say how its questions' values spread at any number of samples.

Each question's accuracy, error and Brier variance are means over single samples or pairs of them, so their spread
at any number of samples follows from three moments, each of which four samples estimate without bias.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from hotmess_jax.llm.measures.clusters import with_clusters
from hotmess_jax.llm.measures.samples import QUESTION, Block, Unparsed, to_samples

# Samples a question that estimate every moment.
LEAST = 4
TOKENS = ("output_tokens", "reasoning_tokens")


class Moments(NamedTuple):
    """Of each question, moments of accuracy, error and corrected Brier variance.

    The mean product of two kernels that share no sample, one, and both; kernels are functions of two samples.
    """

    mean: Float[np.ndarray, "questions 3"]
    apart: Float[np.ndarray, "questions 3 3"]
    one: Float[np.ndarray, "questions 3 3"]
    both: Float[np.ndarray, "questions 3 3"]


@dataclass(frozen=True)
class Pilot:
    """One model's pilot at one setting."""

    table: pl.DataFrame  # who the questions are, and perhaps the names of their clusters
    moments: Moments
    samples: float  # a question, on average
    left_out: int  # questions with fewer than four samples
    tokens: float | None  # a sample; None where no record says
    field: str | None  # where they are from
    cluster: str | None = None  # whose values are clusters of questions


def pilot_of(
    records: pl.DataFrame, unparsed: Unparsed = "uniform", cluster: str | None = None
) -> Pilot:
    """Return a pilot's moments.

    Args:
        records: of one model at one setting, from `read_records`.
        unparsed: as in `to_samples`.
        cluster: a field whose values are clusters of questions.

    Raises:
        ValueError: where fewer than two questions have four samples, and for clusters as in `with_clusters`.
    """
    samples = to_samples(records, unparsed)
    columns = [records[name].to_list() for name in ("answer", "probs")]
    silent = np.asarray([not a and p is None for a, p in zip(*columns, strict=True)], bool)
    found, places, numbers = [], [], []
    for block in samples.blocks:
        number = block.present.sum(axis=1)
        enough = number >= LEAST
        if enough.any():
            found.append(_moments(_chosen(block, enough), silent))
            places.append(block.question[enough])
            numbers.append(number[enough])
    kept = sum(map(len, places))
    if kept < 2:
        raise ValueError(
            f"a plan needs two questions with {LEAST} samples, and of {samples.questions} {kept} have them"
        )
    place = np.concatenate(places)
    order = np.argsort(place)
    moments = Moments(*(np.concatenate(parts)[order] for parts in zip(*found, strict=True)))
    field = next(
        (f for f in TOKENS if f in records.columns and records[f].null_count() < records.height), None
    )
    return Pilot(
        with_clusters(samples.table.select(QUESTION)[place[order]], records, cluster),
        moments,
        float(np.concatenate(numbers).mean()),
        samples.questions - kept,
        None if field is None else float(records[field].drop_nulls().to_numpy().mean()),
        field,
        cluster,
    )


def _chosen(block: Block, chosen: Bool[np.ndarray, " questions"]) -> Block:
    parts = block._asdict()
    return block._replace(**{name: of[chosen] for name, of in parts.items() if of is not None})


def _moments(block: Block, silent: Bool[np.ndarray, " records"]) -> Moments:
    """Return moments by sums over samples, pairs, triples and fours that differ."""
    rows = np.arange(len(block.target))
    here = block.present
    leading = block.probs == block.probs.max(axis=-1, keepdims=True)
    right = leading[rows, :, block.target] / leading.sum(axis=-1)
    right = np.where(silent[block.record], 0, right)
    squares = (block.probs**2).sum(axis=-1)
    error = squares - 2 * block.probs[rows, :, block.target] + 1
    products = block.probs @ np.swapaxes(block.probs, 1, 2)
    spread = (squares[:, :, None] + squares[:, None, :]) / 2 - products
    pairs = here[:, :, None] & here[:, None, :] & ~np.eye(here.shape[1], dtype=bool)
    kernels = np.stack(
        [(of[:, :, None] + of[:, None, :]) / 2 for of in (right, error)] + [spread], axis=1
    )
    kernels = np.where(pairs[:, None], kernels, 0)
    n = here.sum(axis=1)[:, None, None].astype(float)
    by_sample = kernels.sum(axis=-1)
    total = by_sample.sum(axis=-1)
    both = np.einsum("qaij,qbij->qab", kernels, kernels)
    one = np.einsum("qai,qbi->qab", by_sample, by_sample) - both
    apart = total[:, :, None] * total[:, None, :] - 2 * both - 4 * one
    ways = n * (n - 1)
    return Moments(
        total / ways[:, 0],
        apart / (ways * (n - 2) * (n - 3)),
        one / (ways * (n - 2)),
        both / ways,
    )
