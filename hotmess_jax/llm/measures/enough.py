"""Questions that have enough samples, and their samples in random order."""

import numpy as np
import polars as pl
from jaxtyping import Int

from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.samples import Block, Samples, to_samples


def readable(records: pl.DataFrame, settings: AnalysisSettings) -> Samples:
    """Return the samples, where any question is decomposed."""
    samples = to_samples(records, settings.unparsed)
    if not samples.blocks:
        raise ValueError(samples.why_none)
    return samples


def with_enough(samples: Samples, least: int) -> tuple[Samples, int]:
    """Return the questions that have at least so many samples, and how many have fewer."""
    enough = [(block, block.present.sum(axis=1) >= least) for block in samples.blocks]
    kept = [
        block._replace(**{name: part[of] for name, part in block._asdict().items() if part is not None})
        for block, of in enough
        if of.any()
    ]
    return samples._replace(blocks=kept), sum(int((~of).sum()) for _, of in enough)


def shuffled(block: Block, random: np.random.Generator) -> Int[np.ndarray, "questions samples"]:
    """Return each question's samples in random order, those that are there first."""
    return np.argsort(np.where(block.present, random.random(block.present.shape), np.inf), axis=1)
