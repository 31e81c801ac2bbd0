"""Bias², variance and incoherence of groups of records: what `experiments.incoherence` prints."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, get_args

import polars as pl

from hotmess_jax.documents import to_json
from hotmess_jax.llm.cases import is_choice, is_open
from hotmess_jax.llm.measures import comparing
from hotmess_jax.llm.measures.between_contexts import BetweenContexts
from hotmess_jax.llm.measures.clusters import clusters_of
from hotmess_jax.llm.measures.comparing import Comparisons
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.left_out import LeftOut, left_out_by_difficulty
from hotmess_jax.llm.measures.means import Means, means_of
from hotmess_jax.llm.measures.parts import Parts
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.repeats import Repeats, repeats
from hotmess_jax.llm.measures.samples import QUESTION, Samples, Unparsed, to_samples
from hotmess_jax.llm.measures.series import check_fields, settings_that_differ
from hotmess_jax.llm.measures.successes import (
    MEANING,
    SHARES,
    SHARES_METRIC,
    is_of_successes,
    share_questions,
    with_successes,
)
from hotmess_jax.llm.records import checked
from hotmess_jax.statistics.intervals import number_of
from kernels.names import check_name, check_names

NO_PAIR = "no question has two samples"


@dataclass(frozen=True, slots=True)
class ClusterCount:
    """How many clusters of questions there are, and the field whose values they are."""

    field: str
    number: int


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of one model's records that have one value of each field that is grouped by."""

    # Those fields, and the settings that differ within a model.
    by: dict[str, Any]
    model: str
    questions: int
    samples: int
    # Questions that are in no decomposition, and what kind they are.
    left_out: int
    left_out_by: tuple[LeftOut, ...]
    # Why no question is decomposed; None where some are.
    why_none: str | None
    accuracy: float
    unparsed: float
    # The step in which probabilities were stated.
    stated_step: float | None
    # None where no field says.
    clusters: ClusterCount | None
    # What k samples would do; None where no answer counts.
    repeats: Repeats | None
    # By metric; None where no question is decomposed.
    metrics: dict[str, Means | None]

    @property
    def label(self) -> str:
        """Its name as tables and figures show it, a line a field."""
        named = (
            f"no {name}" if value is None else f"{name} {value}" for name, value in self.by.items()
        )
        return "\n".join([self.model, *named])

    @property
    def decomposed(self) -> int:
        """How many questions are decomposed."""
        return self.questions - self.left_out

    def to_json(self) -> dict[str, Any]:
        """Return the group as JSON values, the parts of each metric by name, with intervals beside them."""
        metrics = {
            name: None if means is None else _by_part(means, parts_in(name))
            for name, means in self.metrics.items()
        }
        return {
            **{name: getattr(self, name) for name in Group.__slots__},
            "left_out_by": [asdict(row) for row in self.left_out_by],
            "clusters": None if self.clusters is None else asdict(self.clusters),
            "repeats": None if self.repeats is None else self.repeats.to_json(),
            "metrics": metrics,
        }


def parts_in(metric: str) -> tuple[str, ...]:
    """Return what a metric says of an error; 0/1 has no incoherence."""
    parts = ("error", "bias2", "variance", "incoherence")
    return parts[:3] if metric == "zero_one" else parts


def _by_part(means: Means, parts: Sequence[str]) -> dict[str, Any]:
    """Return values and intervals by part as JSON values, plug-in ones first."""

    def of(form: Parts) -> dict[str, Any]:
        found = {name: getattr(form, name).to_json() for name in parts}
        values = {name: part["value"] for name, part in found.items()}
        return values | {"ci95": {name: part["ci95"] for name, part in found.items()}}

    return {
        **of(means.plugin),
        "corrected": None if means.no_corrected is not None else of(means.corrected),
        "no_corrected": means.no_corrected,
        "kl_samples": means.kl_samples,
        "effective_questions": means.effective_questions,
        "contexts": to_json(BetweenContexts | None, means.contexts),
    }


@dataclass(frozen=True, slots=True)
class Summary:
    """All groups of records, what is to be said of outcomes that are no choice, and what is compared."""

    groups: tuple[Group, ...]
    meanings: tuple[str, ...]
    # None where nothing was to be.
    compared: Comparisons | None

    def to_json(self) -> dict[str, Any]:
        """Return the groups and comparisons as JSON values."""
        groups = {"groups": [group.to_json() for group in self.groups]}
        return groups if self.compared is None else groups | self.compared.to_json()


def summary_of(
    records: pl.DataFrame,
    by: Sequence[str],
    metrics: Sequence[Metric],
    settings: AnalysisSettings,
    compare: str | None = None,
    baseline: str = "none",
    say: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Return the groups of choices among options, those of outcomes between 0 and 1, and what is compared.

    Args:
        records: from `read_records`.
        by: fields to group by, besides the model and the settings that differ.
        metrics: which decompositions of choices.
        settings: all else; its metric does not matter.
        compare: the field whose values are compared, within those of `by`; None compares nothing.
        baseline: the value that others are compared with.
        say: called with what is left out.

    Raises:
        ValueError: for a field that no record has, where no record has a choice or an outcome, and where nothing
            can be compared.
    """
    choices, shares = with_successes(records)
    groups: list[Group] = []
    meanings = []
    more = settings.resamples, settings.seed, settings.cluster
    if choices.height or not shares.height:
        chosen = with_options(choices, say)
        groups += summarise(chosen, by, metrics, settings.unparsed, settings.smoothing, *more)
        if is_of_successes(choices):
            meanings.append(MEANING)
    if shares.height:
        groups += summarise_shares(shares, by, *more)
        meanings.append(SHARES)
    compared = None
    if compare is not None:
        chosen = choices.filter(pl.col("options").is_not_null())
        compared = comparing.compare(chosen, compare, baseline, by, metrics, settings)
    return Summary(tuple(groups), tuple(meanings), compared)


def with_options(records: pl.DataFrame, say: Callable[[str], None]) -> pl.DataFrame:
    """Return the records with a choice among options, and say how many others there are.

    Raises:
        ValueError: where no record has any: open answers, unit tests and outcomes alone have no distribution
            here.
    """
    opened, chosen = is_open(records), pl.col("options").is_not_null()
    for rows, said in (
        (records.filter(opened), "open answers, of whose vectors python -m experiments.llm_report tells "
         "the variance (FILE.embeddings.npy)"),
        (records.filter(~opened & ~chosen),
         "unit tests or outcomes alone, which python -m experiments.llm_report analyses"),
    ):  # fmt: skip
        if rows.height == records.height:
            raise ValueError(f"all {rows.height} records are {said}")
        if rows.height:
            say(f"left out: {rows.height} records are {said}")
    kept = records.filter(is_choice(records))
    if not kept.height:
        raise ValueError("no record has a choice among options")
    return kept


def summarise(
    records: pl.DataFrame,
    by: Sequence[str] = (),
    metrics: Sequence[Metric] = METRICS,
    unparsed: Unparsed = "uniform",
    smoothing: float = 1e-12,
    resamples: int = 1000,
    seed: int = 0,
    cluster: str | None = None,
) -> list[Group]:
    """Return bias², variance and incoherence of each model, and of each value of the fields in `by`.

    Records of other settings (temperature, budget, format, prompt) are never pooled: where they differ
    within a model, they are grouped by too.

    Args:
        records: as `read_records` gives them, in any order.
        by: fields to group by, besides the model.
        metrics: which decompositions.
        unparsed: as in `to_samples`.
        smoothing: δ of the KL decomposition.
        resamples: data sets on which KL's corrected value is judged, at most.
        seed: of these.
        cluster: a field whose values are clusters of questions; intervals are then over clusters.

    Raises:
        ValueError: for a field that no record has, another metric or treatment, and for what
            `records.checked` refuses.
    """
    check_names("metrics", metrics, METRICS)
    check_name("unparsed", unparsed, get_args(Unparsed))

    def measured(groups: Sequence[pl.DataFrame]) -> list[_Measured]:
        samples = [to_samples(group, unparsed) for group in groups]
        # KL is compared at equal numbers of samples.
        least = min((of.least for of in samples if of.blocks), default=None)
        settings = [
            AnalysisSettings(metric, unparsed, smoothing, resamples, seed, least, cluster)
            for metric in metrics
        ]
        return [_of_choices(*pair, settings) for pair in zip(groups, samples, strict=True)]

    return _grouped(records, by, unparsed, cluster, measured)


def summarise_shares(
    records: pl.DataFrame,
    by: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
    cluster: str | None = None,
) -> list[Group]:
    """Return what `summarise` does, with the one metric `squared_error`, of outcomes between 0 and 1.

    Args:
        records: each with an outcome.
        by: fields to group by, besides the model and the settings that differ.
        resamples: as in `AnalysisSettings`.
        seed: likewise.
        cluster: likewise.

    Raises:
        ValueError: for a field that no record has, and for clusters as in `with_clusters`.
    """
    settings = AnalysisSettings(resamples=resamples, seed=seed, cluster=cluster)
    return _grouped(
        records, by, "uniform", cluster, lambda groups: [_of_shares(of, settings) for of in groups]
    )


class _Measured(NamedTuple):
    """What a group's kind of outcome says of it."""

    # Who the questions are.
    table: pl.DataFrame
    # By the names that `Group` has.
    found: dict[str, Any]


def _grouped(
    records: pl.DataFrame,
    by: Sequence[str],
    unparsed: Unparsed,
    cluster: str | None,
    measured: Callable[[Sequence[pl.DataFrame]], Sequence[_Measured]],
) -> list[Group]:
    """Return the groups of records, in order.

    Args:
        records: of one kind of outcome.
        by: fields to group by, besides the model and the settings that differ.
        unparsed: as in `to_samples`.
        cluster: as in `AnalysisSettings`.
        measured: returns of each group's records what is measured of them.
    """
    check_fields(records, by, " to group by")
    records = checked(records, by).table
    by = [*by, *settings_that_differ(records, ["model", *by])]
    rows = records.sort(keys := ["model", *by], nulls_last=True, maintain_order=True)
    parts = list(rows.group_by(keys, maintain_order=True))
    found = []
    for (values, part), of in zip(parts, measured([part for _, part in parts]), strict=True):
        labels = clusters_of(part, of.table, cluster)
        clusters = None
        if cluster is not None and labels is not None:
            clusters = ClusterCount(cluster, number_of(len(labels), labels))
        fields = dict(zip(by, values[1:], strict=True))
        repeated = _repeats(part, unparsed, cluster)
        found.append(Group(fields, values[0], clusters=clusters, repeats=repeated, **of.found))
    return found


def _of_choices(
    group: pl.DataFrame, samples: Samples, settings: Sequence[AnalysisSettings]
) -> _Measured:
    """Return what choices among options say of a group, by each metric."""
    left_out = left_out_by_difficulty(group, samples) if samples.left_out and samples.blocks else []
    found = {
        "questions": samples.questions,
        "samples": samples.samples,
        "left_out": samples.left_out,
        "left_out_by": tuple(left_out),
        "why_none": None if samples.blocks else samples.why_none,
        "accuracy": samples.accuracy,
        "unparsed": samples.unparsed,
        "stated_step": samples.step,
        "metrics": {
            of.metric: means_of(questions_of(group, of, samples)) if samples.blocks else None
            for of in settings
        },
    }
    return _Measured(samples.table, found)


def _of_shares(group: pl.DataFrame, settings: AnalysisSettings) -> _Measured:
    """Return what outcomes between 0 and 1 say of a group."""
    who = group.select(QUESTION).unique(maintain_order=True)
    try:
        questions = share_questions(group, settings)
    except ValueError:
        questions = None
    right = group["outcome"].to_numpy() if questions is None else questions.accuracy
    found = {
        "questions": who.height,
        "samples": group.height,
        "left_out": who.height - (0 if questions is None else questions.table.height),
        "left_out_by": (),
        "why_none": NO_PAIR if questions is None else None,
        "accuracy": float(right.mean()),
        "unparsed": 0.0,
        "stated_step": None,
        "metrics": {SHARES_METRIC: None if questions is None else means_of(questions)},
    }
    return _Measured(who, found)


def _repeats(group: pl.DataFrame, unparsed: Unparsed, cluster: str | None) -> Repeats | None:
    """Return what k samples would do; None where no answer counts."""
    try:
        return repeats(group, unparsed, cluster)
    except ValueError:
        return None
