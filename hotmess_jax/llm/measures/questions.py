"""One model's questions with their decompositions, and estimates over them with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import jax
import numpy as np
import polars as pl
from jaxtyping import Float

from hotmess_jax.llm.measures.clusters import clusters_in, of_all, with_clusters
from hotmess_jax.llm.measures.decomposing import METRICS, Contexts, Metric, decompose_block, drawn_down
from hotmess_jax.llm.measures.kl_correction import why_none
from hotmess_jax.llm.measures.samples import QUESTION, Block, Samples, Unparsed, to_samples
from hotmess_jax.llm.measures.series import one_series
from hotmess_jax.statistics.intervals import (
    Clusters,
    difference_interval,
    mean_interval,
    ratio_interval,
    summed,
)
from kernels.decompositions import Decomposition
from kernels.names import check_name

Json = dict[str, Any]
FORMS = ("plugin", "corrected")
# What is told of questions, in the order of tables and figures.
QUANTITIES = ("accuracy", "error", "bias2", "variance", "incoherence")


@dataclass(frozen=True)
class AnalysisSettings:
    """What every analysis needs to know."""

    metric: Metric = "brier"
    unparsed: Unparsed = "uniform"
    smoothing: float = 1e-12
    # Data sets on which KL's corrected value is judged, at most; 0 gives its plug-in value alone.
    resamples: int = 1_000
    seed: int = 0
    # Samples a question that KL's plug-in values are of, so that what is compared has equal numbers; None
    # is the least of the questions at hand.
    kl_samples: int | None = None
    # The field whose values are clusters of questions; intervals are then over whole clusters.
    cluster: str | None = None

    def __post_init__(self) -> None:
        check_name("metric", self.metric, METRICS)
        check_name("unparsed", self.unparsed, get_args(Unparsed))
        if not 0 < self.smoothing < 1:
            raise ValueError(f"smoothing must be between 0 and 1, got {self.smoothing}")
        if self.resamples < 0:
            raise ValueError(f"resamples must be at least 0, got {self.resamples}")


class Questions(NamedTuple):
    """The questions of one model that have at least two samples, as NumPy arrays over them."""

    plugin: Decomposition
    corrected: Decomposition
    accuracy: Float[np.ndarray, " questions"]
    # Who they are, `count` samples, the means of all numeric fields, and perhaps the name of their cluster.
    table: pl.DataFrame
    # None where no record has a context.
    contexts: Contexts | None = None
    # The largest error that a question can have; None is the largest that one has.
    most: float | None = None
    # Why there is no corrected form; None where there is.
    no_corrected: str | None = None
    # Samples a question that KL's plug-in form is of; None for all that there are.
    kl_samples: int | None = None
    # The step in which probabilities were stated.
    step: float | None = None

    @property
    def samples(self) -> int:
        """Samples in all."""
        return int(self.table["count"].sum())

    @property
    def clusters(self) -> Clusters:
        """The questions' clusters; None where each is its own."""
        return clusters_in(self.table)

    def where(self, chosen: np.ndarray) -> "Questions":
        """Return those of a boolean mask or an index."""
        arrays = self.plugin, self.corrected, self.accuracy, self.contexts
        plugin, corrected, accuracy, contexts = jax.tree.map(lambda a: a[chosen], arrays)
        kept = self.table.filter(chosen) if chosen.dtype == bool else self.table[chosen]
        return self._replace(
            plugin=plugin, corrected=corrected, accuracy=accuracy, table=kept, contexts=contexts
        )

    def form(self, name: str) -> Decomposition:
        """Return the plug-in or the corrected decomposition."""
        check_name("form", name, FORMS)
        return self.plugin if name == "plugin" else self.corrected


def questions_of(
    records: pl.DataFrame, settings: AnalysisSettings, samples: Samples | None = None
) -> Questions:
    """Return one model's questions with their decompositions.

    Args:
        records: of one model and setting, in any order.
        settings: metric, smoothing and treatment of unparsed answers.
        samples: what `to_samples` gives, where it is known.

    Raises:
        ValueError: where no question has two samples or no answer could be read, and for what `to_samples`
            refuses.
    """
    records = one_series(records).table
    if samples is None:
        samples = to_samples(records, settings.unparsed)
    if not samples.blocks:
        raise ValueError(samples.why_none)
    found = decompose_blocks(samples.blocks, settings)
    place = np.concatenate([block.question for block in samples.blocks])
    table = with_clusters(with_means(samples, records)[place], records, settings.cluster)
    accuracy = table["accuracy"].to_numpy()
    return Questions(
        found.plugin,
        found.corrected,
        accuracy,
        table,
        found.contexts if samples.contexts else None,
        found.most,
        found.no_corrected,
        found.kl_samples,
        samples.step,
    )


class Decomposed(NamedTuple):
    """Questions' decompositions; those of one group, which are compared."""

    plugin: Decomposition
    # NaN where there is none.
    corrected: Decomposition
    contexts: Contexts | None
    # As in `Questions`.
    most: float
    no_corrected: str | None
    kl_samples: int | None


NO_ZERO_ONE = "0/1 has no corrected value: its plug-in variance falls with the number of samples"


def decompose_blocks(blocks: Sequence[Block], settings: AnalysisSettings) -> Decomposed:
    """Return the questions' plug-in and corrected decomposition, and their contexts.

    0/1 has neither a corrected form nor contexts. KL's plug-in form is of an equal number of samples; its
    corrected form is there only where it is right of data sets drawn from these answers (`kl_correction`).
    """
    kl_samples = None
    if settings.metric == "kl":
        kl_samples = settings.kl_samples or min(int(b.present.sum(axis=1).min()) for b in blocks)
    found: list[tuple[Decomposition, Decomposition, Contexts | None]] = []
    for block in blocks:
        plugin, corrected, contexts = decompose_block(settings.metric, block, settings.smoothing)
        if corrected is None or contexts is None:
            found.append((plugin, jax.tree.map(_unknown, plugin), None))
        elif settings.metric == "kl":
            assert kl_samples is not None
            plugin = drawn_down(plugin, block, kl_samples, settings.smoothing, settings.seed)
            classes = block.probs.shape[-1]
            found.append(_without_dust((plugin, corrected, contexts), classes, settings.smoothing))
        else:
            found.append((plugin, corrected, contexts))
    plugin, corrected, contexts = jax.tree.map(lambda *parts: np.concatenate(parts), *found)
    none = NO_ZERO_ONE if settings.metric == "zero_one" else None
    if settings.metric == "kl":
        none = why_none(blocks, settings.smoothing, settings.resamples, settings.seed)
        if none is not None:
            corrected = jax.tree.map(_unknown, corrected)
            contexts = None
    return Decomposed(plugin, corrected, contexts, most_error(blocks, settings), none, kl_samples)


def most_error(blocks: Sequence[Block], settings: AnalysisSettings) -> float:
    """Return the largest error that a question can have.

    Of KL it is that of an answer which gives the right class the least probability that any was given.
    """
    if settings.metric != "kl":
        return 2.0 if settings.metric == "brier" else 1.0
    least = min(
        (block.floored()[block.present].min() + settings.smoothing)
        / (1 + block.probs.shape[-1] * settings.smoothing)
        for block in blocks
    )
    return float(-np.log(least))


def _unknown(values: np.ndarray) -> np.ndarray:
    return np.full(np.shape(values), np.nan)


def _without_dust(
    forms: tuple[Decomposition, Decomposition, Contexts], classes: int, smoothing: float
) -> tuple[Decomposition, Decomposition, Contexts]:
    """Return decompositions with 0 where smoothing alone makes an error.

    Answers that are all right have an error of about (classes − 1)·smoothing, whose ratios and
    logarithms mean nothing.
    """
    alone = np.log((1 + classes * smoothing) / (1 + smoothing)) * (1 + 1e-6)
    dust = forms[0].error <= alone
    plugin, corrected = jax.tree.map(lambda part: np.where(dust, 0, part), forms[:2])
    number, *parts = forms[2]
    # What is not known stays so.
    between, within = (np.where(dust & ~np.isnan(part), 0, part) for part in parts)
    return plugin, corrected, Contexts(number, between, within)


def with_means(samples: Samples, records: pl.DataFrame) -> pl.DataFrame:
    """Return the table of questions with `count`, means of numeric fields, and some others."""
    own = {*QUESTION, "sample", "context", "seed", "accuracy"}
    others = [name for name in records.columns if name not in own]
    means = [pl.col(name).mean() for name in others if records[name].dtype.is_numeric()]
    firsts = [
        pl.col(name).drop_nulls().first()
        for name in ("topic", "difficulty", "error_type")
        if name in others and not records[name].dtype.is_numeric()
    ]
    found = records.group_by(QUESTION).agg(pl.len().alias("count"), *means, *firsts)
    return samples.table.join(found, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")


Arrays = Mapping[str, np.ndarray]


def to_json(value: Any) -> Any:
    """Return arrays and numbers as JSON values; what is no number becomes None."""
    if isinstance(value, Mapping):
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    if isinstance(value, jax.Array | np.ndarray):
        return to_json(np.asarray(value).tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def with_incoherence(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add variance / (bias2 + variance) of means, NaN where the error is not above 0."""
    total = found["bias2"] + found["variance"]
    positive = total > 0
    quotient = np.where(positive, found["variance"] / np.where(positive, total, 1), np.nan)
    return found | {"incoherence": quotient}


def parts_of(questions: Questions, form: str) -> dict[str, np.ndarray]:
    """Return error, bias2, variance and accuracy of each question."""
    return questions.form(form)._asdict() | {"accuracy": questions.accuracy}


def estimate_parts(arrays: Arrays, most: float, clusters: Clusters = None) -> tuple[dict, dict]:
    """Return means and incoherence, and their 95 % intervals over questions (`analysis.intervals`).

    Args:
        arrays: error, bias2, variance and perhaps accuracy of each question, `[questions, …]`.
        most: the largest error that a question can have.
        clusters: of the questions, as in `mean_interval`.

    Returns:
        The values, and of each its interval `[2, …]`; NaN for a single question, and for the incoherence of
        questions without error.
    """
    values = with_incoherence({name: np.asarray(part.mean(axis=0)) for name, part in arrays.items()})
    ends = {
        name: mean_interval(part, 1.0 if name == "accuracy" else most, clusters)
        for name, part in arrays.items()
    }
    ends["incoherence"] = ratio_interval(
        arrays["variance"], arrays["bias2"] + arrays["variance"], most, clusters
    )
    return values, ends


def largest_error(questions: Questions) -> float:
    """Return the largest error that a question can have, or where that is not known that one has."""
    return float(questions.plugin.error.max()) if questions.most is None else questions.most


def incoherence_difference(
    first: Questions, second: Questions, form: str
) -> tuple[Float[np.ndarray, ""], Float[np.ndarray, " 2"]]:
    """Return the incoherence of one model less another's, and its interval; the same questions in order."""
    clusters = clusters_in(of_all([first.table, second.table], first.table))
    both = [
        jax.tree.map(lambda part: summed(np.asarray(part), clusters), of.form(form))
        for of in (first, second)
    ]
    return difference_interval(
        (both[0].variance, both[1].variance),
        (both[0].bias2 + both[0].variance, both[1].bias2 + both[1].variance),
        max(largest_error(first), largest_error(second)),
    )
