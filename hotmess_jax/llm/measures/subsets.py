"""Questions sample by sample, and the decomposition of any subset of their samples."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from scipy import special

from hotmess_jax.llm.measures.clusters import with_clusters
from hotmess_jax.llm.measures.other_outcomes import answer_vectors, unit_tests
from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.questions import AnalysisSettings, most_error
from hotmess_jax.llm.measures.samples import QUESTION, to_samples
from kernels.decompositions import sample_mean, smoothed_log

Measure = Literal["brier", "kl", "coverage", "dispersion", "squared_error"]
# Numbers that are held at once.
AT_ONCE = 4_000_000


class SampledBlock(NamedTuple):
    """Questions with arrays of one shape, sample by sample."""

    # What was predicted less what is right; of KL the log-probabilities.
    points: Float[np.ndarray, "questions samples d"]
    # The right class of KL, 0 of all else.
    target: Int[np.ndarray, " questions"]
    right: Float[np.ndarray, "questions samples"]
    present: Bool[np.ndarray, "questions samples"]
    # Which of its question's contexts each sample is of, from 0 on; −1 where there is none.
    context: Int[np.ndarray, "questions samples"]
    # The samples' rows in the records.
    record: Int[np.ndarray, "questions samples"]


class Sampled(NamedTuple):
    """One model's questions, sample by sample."""

    measure: Measure
    blocks: list[SampledBlock]
    # Who they are, in the order of the blocks, and perhaps the names of their clusters.
    who: pl.DataFrame
    # The largest error that a question can have.
    most: float


class Parts(NamedTuple):
    """An error and its two parts, `[questions, subsets]`."""

    error: Float[np.ndarray, "questions subsets"]
    bias2: Float[np.ndarray, "questions subsets"]
    variance: Float[np.ndarray, "questions subsets"]


class SubsetParts(NamedTuple):
    """Decompositions of subsets of questions' samples, and their accuracy.

    Of KL nothing is corrected (NaN); of embeddings the variance alone is known.
    """

    plugin: Parts
    corrected: Parts
    accuracy: Float[np.ndarray, "questions subsets"]


@in_float64
def sampled_choices(records: pl.DataFrame, settings: AnalysisSettings) -> Sampled:
    """Return a model's choices among options.

    Raises:
        ValueError: for the 0/1 error, which has no incoherence, and where not one answer could be read.
    """
    if settings.metric == "zero_one":
        raise ValueError("zero_one has no incoherence: metric must be kl or brier")
    blocks: list[SampledBlock] = []
    if not records.height:
        return Sampled(settings.metric, blocks, records.select(QUESTION)[:0], 1.0)
    samples = to_samples(records, settings.unparsed)
    if not samples.blocks:
        if samples.unparsed == 1:
            raise ValueError(samples.why_none)
        return Sampled(settings.metric, blocks, records.select(QUESTION)[:0], 1.0)
    for block in samples.blocks:
        probs, classes = block.probs, block.probs.shape[-1]
        most = probs.max(axis=-1, keepdims=True)
        tied = (probs == most) & (most > 1 / classes)
        at = block.target[:, None, None]
        # Where several options are the most probable, by the share that is the target's.
        right = np.take_along_axis(tied, at, axis=2)[..., 0] / np.maximum(tied.sum(axis=-1), 1)
        points, target = probs - np.eye(classes)[block.target][:, None], np.zeros_like(block.target)
        if settings.metric == "kl":
            points = np.asarray(smoothed_log(jnp.asarray(block.floored()), settings.smoothing))
            target = block.target
        blocks.append(SampledBlock(points, target, right, block.present, block.context, block.record))
    place = [row for block in samples.blocks for row in block.question.tolist()]
    who = samples.table.select(QUESTION)[place]
    return Sampled(settings.metric, blocks, who, most_error(samples.blocks, settings))


def sampled_tests(records: pl.DataFrame) -> Sampled:
    """Return a model's runs of unit tests."""
    tasks = unit_tests(records)
    scale = tasks.mask / np.sqrt(np.maximum(tasks.mask.sum(axis=1, keepdims=True), 1))
    right = (tasks.outcomes | ~tasks.mask[:, None, :]).all(axis=2) & tasks.present
    points = (tasks.outcomes - 1.0) * scale[:, None, :]
    nothing = np.zeros(len(points), int)
    block = SampledBlock(points, nothing, right * 1.0, tasks.present, tasks.context, tasks.record)
    return Sampled("coverage", [block] if tasks.keys else [], _who(tasks.keys), 1.0)


def sampled_vectors(records: pl.DataFrame, vectors: Float[np.ndarray, "records d"]) -> Sampled:
    """Return a model's open answers as vectors, of which the variance alone is known."""
    answers = answer_vectors(records, vectors)
    nothing = np.zeros(answers.present.shape)
    target = np.zeros(len(nothing), int)
    # About each question's mean, so that the digits are those of the differences.
    middle = np.asarray(sample_mean(jnp.asarray(answers.points), answers.present))
    points = answers.points - middle[:, None, :]
    points = np.where(answers.present[..., None], points, 0)
    block = SampledBlock(points, target, nothing, answers.present, answers.context, answers.record)
    norms = (points**2).sum(axis=-1)
    return Sampled(
        "dispersion", [block] if answers.keys else [], _who(answers.keys), float(norms.max(initial=0))
    )


def sampled_shares(records: pl.DataFrame) -> Sampled:
    """Return a model's outcomes between 0 and 1, whose error is the squared distance to 1."""
    outcomes = records["outcome"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    numbered = records.with_columns(row=pl.int_range(pl.len()))
    found = answer_vectors(numbered, outcomes[:, None] - 1)
    right = np.where(found.present, found.points[..., 0] + 1, 0)
    target = np.zeros(len(right), int)
    block = SampledBlock(found.points, target, right, found.present, found.context, found.record)
    return Sampled("squared_error", [block] if found.keys else [], _who(found.keys), 1.0)


def _who(keys: list[tuple]) -> pl.DataFrame:
    schema = {"benchmark": pl.String, "question_id": pl.String}
    return pl.DataFrame(keys, schema=schema, orient="row")


def enough_samples(block: SampledBlock, least: int) -> Bool[np.ndarray, " questions"]:
    """Return which questions have so many samples."""
    return block.present.sum(axis=1) >= least


@in_float64
def decompose_subsets(
    measure: Measure, block: SampledBlock, chosen: Bool[np.ndarray, "questions subsets samples"]
) -> SubsetParts:
    """Return the decomposition of subsets of each question's samples.

    Corrected squared errors take bias² from pairs of samples of different contexts, each pair the same;
    where a subset is of one context, from all of its pairs, as if they were independent.

    Args:
        measure: which decomposition.
        block: questions.
        chosen: at least two samples that are present in each subset.
    """
    count, subsets, samples = chosen.shape
    step = max(1, AT_ONCE // max(subsets * samples, samples * samples, samples * block.points.shape[2]))
    found = [
        _parts(measure, SampledBlock(*(part[i : i + step] for part in block)), chosen[i : i + step])
        for i in range(0, count, step)
    ]
    plugins, corrected = (
        Parts(*(np.concatenate(part) for part in zip(*of, strict=True)))
        for of in ([each.plugin for each in found], [each.corrected for each in found])
    )
    return SubsetParts(plugins, corrected, np.concatenate([each.accuracy for each in found]))


def _parts(measure: Measure, block: SampledBlock, chosen: np.ndarray) -> SubsetParts:
    weight = chosen.astype(np.float64)
    number = weight.sum(axis=2)
    accuracy = (weight @ block.right[..., None])[..., 0] / number
    if measure == "kl":
        mean = weight @ np.where(block.present[..., None], block.points, 0) / number[..., None]
        error = -np.take_along_axis(mean, block.target[:, None, None], axis=2)[..., 0]
        variance = np.maximum(-special.logsumexp(mean, axis=-1), 0)
        unknown = np.full_like(error, np.nan)
        plugin = Parts(error, error - variance, variance)
        return SubsetParts(plugin, Parts(unknown, unknown, unknown), accuracy)
    points = np.where(block.present[..., None], block.points, 0)
    norms = (points**2).sum(axis=2)
    squares = (weight @ norms[..., None])[..., 0]
    one_context = block.context.max(initial=0) < 1
    if one_context and points.shape[2] < points.shape[1]:
        pairs = ((weight @ points) ** 2).sum(axis=2)
    else:
        products = points @ points.transpose(0, 2, 1)
        pairs = ((weight @ products) * weight).sum(axis=2)
    error, bias2 = squares / number, pairs / number**2
    fixed = (pairs - squares) / (number * (number - 1))
    if not one_context:
        apart = (block.context[:, :, None] != block.context[:, None, :]).astype(np.float64)
        between = ((weight @ apart) * weight).sum(axis=2)
        product = ((weight @ (points @ points.transpose(0, 2, 1) * apart)) * weight).sum(axis=2)
        fixed = np.where(between > 0, product / np.where(between > 0, between, 1), fixed)
    plugin = Parts(error, bias2, np.maximum(error - bias2, 0))
    corrected = Parts(error, fixed, error - fixed)
    if measure == "dispersion":
        unknown = np.full_like(error, np.nan)
        plugin, corrected = (of._replace(error=unknown, bias2=unknown) for of in (plugin, corrected))
        accuracy = unknown
    return SubsetParts(plugin, corrected, accuracy)


def sampled_of(
    records: pl.DataFrame,
    settings: AnalysisSettings,
    vectors: Float[np.ndarray, "records d"] | None = None,
) -> Sampled:
    """Return a model's questions: of vectors where they are given, else of unit tests, choices or outcomes.

    Raises:
        ValueError: also where no record has the field to cluster by.
    """
    found = _sampled_of(records, settings, vectors)
    return found._replace(who=with_clusters(found.who, records, settings.cluster))


def _sampled_of(
    records: pl.DataFrame,
    settings: AnalysisSettings,
    vectors: Float[np.ndarray, "records d"] | None,
) -> Sampled:
    if vectors is not None:
        return sampled_vectors(records, vectors)
    if "tests" in records.columns and records["tests"].null_count() < records.height:
        return sampled_tests(records)
    outcomes = records["outcome"].count() if "outcome" in records.columns else 0
    if outcomes and not records["options"].count():
        return sampled_shares(records)
    return sampled_choices(records, settings)
