"""Questions sorted by a field, in groups of equal size: the paper's main analysis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import jax
import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.measures.clusters import clusters_in, count_in
from hotmess_jax.llm.measures.cross_fitting import (
    FORMS,
    LEAST,
    NO_KL,
    SPLITS,
    CrossFitted,
    Grouped,
    cross_fit,
    group_values,
    groups_along,
    halves_difference,
    in_groups,
)
from hotmess_jax.llm.measures.parts import Curves, Parts, curves_from, parts_from
from hotmess_jax.llm.measures.questions import (
    AnalysisSettings,
    Questions,
    estimate_parts,
    largest_error,
    parts_of,
)
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.measures.subsets import Measure, Sampled, sampled_of
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell, counts, forms_of
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.statistics.intervals import FEW, Clusters, effective_questions
from hotmess_jax.statistics.power_laws import Exponent, jackknifed_fit
from kernels.names import check_name, nearest

# Fewer questions do not bear a group.
A_GROUP = 10


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slopes of power laws through groups of questions."""

    error: Exponent
    bias2: Exponent
    variance: Exponent
    incoherence: Exponent


@dataclass(frozen=True, slots=True)
class AlongForm:
    """Values against a field in one form."""

    # By the number of groups.
    slopes: dict[int, Slopes]
    # The half of the questions with more of the field less the other half.
    halves: Parts
    # Of as many groups as the result says.
    curves: Curves


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the difference of halves and the slopes say of one quantity, in the leading form.

    They are estimates of the same samples: what they agree on is one finding.
    """

    quantity: str
    form: str
    estimates: int
    # Of these, how many have an interval, and how many of them exclude 0, on which side.
    known: int
    rises: int
    falls: int

    @property
    def unchanged(self) -> int:
        """How many intervals hold 0."""
        return self.known - self.rises - self.falls


@dataclass(frozen=True, slots=True)
class AlongField:
    """Values of questions in groups of equal size, sorted by a field."""

    field: str
    metric: Measure
    questions: int
    samples: int
    # None where no field says.
    clusters: int | None
    # Questions whose two parts share contexts, since they have two or three.
    shared_contexts: int
    splits: int
    # Samples a question that the plug-in form is of.
    plugin_samples: int
    # How many the curves are of.
    groups: int
    # Why there is no corrected form; None where there is.
    no_corrected: str | None
    plugin: AlongForm
    corrected: AlongForm | None
    conclusion: Conclusion
    # Questions that are left out: without the field, and with it in fewer than four samples.
    without_field: int = 0
    too_few: int = 0


def by_field(
    records: pl.DataFrame,
    field: str,
    settings: AnalysisSettings,
    groups: Sequence[int] = (10, 5, 20),
    vectors: Float[np.ndarray, "records d"] | None = None,
) -> AlongField:
    """Return bias², variance, incoherence, error and accuracy against a field, such as length.

    Questions are sorted by their mean of the field and cut into groups of equal size (to one); incoherence is
    Σ variance / Σ error within a group. Which group a question is in is said by some of its samples, and what
    is measured by the others (`cross_fitting`). The slope is that of a power law through the groups'
    quotients (`power_laws`).

    Args:
        records: of one model; where they hold unit tests, the error is that of their coverage.
        field: numeric; samples without it are left out.
        settings: metric, treatment of unparsed answers, and the seed of the splits.
        groups: numbers of groups; the first is what the curves have, and all have slopes. Those with
            fewer than ten questions a group are left out; where all are, there are as many as have ten.
        vectors: of open answers, whose variance alone is known.

    Raises:
        ValueError: where fewer than four questions have the field in four samples, or all have the same of it.

    Source: Hägele et al. 2026, Section 3.1, Figures 2, 8, 10, 23 and 25.
    """
    records = one_series(records).table
    usable = records.filter(field_of(records, field).is_not_null())
    sampled = sampled_of(usable, settings, vectors)
    along = usable[field].to_numpy().astype(np.float64)
    lengths = [np.where(block.present, along[block.record], 0) for block in sampled.blocks]
    found = along_field(sampled, lengths, settings, groups, field)
    having = usable.select(QUESTION).n_unique()
    return replace(
        found,
        without_field=records.select(QUESTION).n_unique() - having,
        too_few=having - found.questions,
    )


def along_field(
    sampled: Sampled,
    lengths: Sequence[Float[np.ndarray, "questions samples"]],
    settings: AnalysisSettings,
    groups: Sequence[int],
    field: str,
) -> AlongField:
    """Return what `by_field` does of questions sample by sample, but for those that are left out.

    Args:
        sampled: the questions.
        lengths: of each block, each sample's value of the field.
        settings: the seed.
        groups: as in `by_field`.
        field: its name.

    Raises:
        ValueError: as in `by_field`.
    """
    fitted = cross_fit(sampled, lengths, settings.seed)
    number = len(fitted.question)
    if number < 4:
        raise ValueError(
            f"only {number} questions have {field!r} in {LEAST} samples, some of which say how long a question "
            "is, and the others are measured"
        )
    if (fitted.along == fitted.along[0, 0]).all():
        raise ValueError(f"{field!r} is the same of all questions: {fitted.along[0, 0]:g}")
    who = sampled.who[fitted.question]
    clusters = clusters_in(who)
    counts = [count for count in groups if count * A_GROUP <= number] or [max(2, number // A_GROUP)]
    random = np.random.default_rng(settings.seed)
    halves = groups_along(fitted.along, 2, random)
    of_count = {count: groups_along(fitted.along, count, random) for count in counts}
    no_corrected = NO_KL if sampled.measure == "kl" else None
    plugin = _form_along(fitted, "plugin", halves, of_count, sampled.most, clusters)
    corrected = None
    if no_corrected is None:
        corrected = _form_along(fitted, "corrected", halves, of_count, sampled.most, clusters)
    return AlongField(
        field,
        sampled.measure,
        number,
        fitted.samples,
        count_in(who),
        fitted.shared_contexts,
        SPLITS,
        fitted.plugin_samples,
        counts[0],
        no_corrected,
        plugin,
        corrected,
        conclusion_of(sampled.measure, plugin, corrected),
    )


def _form_along(
    fitted: CrossFitted,
    form: str,
    halves: Int[np.ndarray, "sides questions"],
    of_count: Mapping[int, Int[np.ndarray, "sides questions"]],
    most: float,
    clusters: Clusters,
) -> AlongForm:
    """Return one form's halves, its slopes by the number of groups, and the curves of the first number."""
    between = halves_difference(in_groups(fitted, form, halves, 2), most, False, clusters)
    grouped = {count: in_groups(fitted, form, group, count) for count, group in of_count.items()}
    return AlongForm(
        {count: slopes_of(of, clusters) for count, of in grouped.items()},
        parts_from(*between, Parts),
        curves_from(*group_values(next(iter(grouped.values())), most, clusters)),
    )


def conclusion_of(metric: str, plugin: AlongForm, corrected: AlongForm | None) -> Conclusion:
    """Return what is concluded of incoherence or, of embeddings, which have none, of the variance.

    Args:
        metric: that both forms are of.
        plugin: the plug-in form.
        corrected: the corrected one, which leads; None where there is none.
    """
    quantity = "variance" if metric == "dispersion" else "incoherence"
    leading = plugin if corrected is None else corrected
    estimates: list[Estimate | Exponent] = [getattr(leading.halves, quantity)]
    estimates += [getattr(slopes, quantity) for slopes in leading.slopes.values()]
    rises = falls = known = 0
    for of in estimates:
        low, high = (None, None) if of.value is None or of.ci95 is None else of.ci95
        if low is not None and high is not None:
            known += 1
            rises += low > 0
            falls += low <= 0 and high < 0
    form = "plugin" if corrected is None else "corrected"
    return Conclusion(quantity, form, len(estimates), known, rises, falls)


def slopes_of(grouped: Grouped, clusters: Clusters = None) -> Slopes:
    """Return slopes of power laws through the groups, with intervals over questions or clusters and R²."""
    # Of one group: it is among its own questions that a group's value is seen to vary. Clusters may be in all.
    effective = float(effective_questions(_held(grouped))) / grouped.share.shape[1]
    grouped = grouped.of_clusters(clusters)
    effective = min(effective, float(effective_questions(_held(grouped))))
    along, share = grouped.along.sum(axis=0), grouped.share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(along / share)[:, None]
        without = np.log((along - grouped.along) / (share - grouped.share))[..., None]
    names = [of.name for of in fields(Slopes)]
    return Slopes(**{
        name: jackknifed_fit(x, without, *grouped.quotient(name), effective).exponent for name in names
    })  # fmt: skip


def _held(grouped: Grouped) -> Float[np.ndarray, " questions"]:
    """Return what each question holds of the error, of embeddings of the variance."""
    held = grouped.variance if np.isnan(grouped.error).any() else grouped.error
    return held.sum(axis=1)


LENGTHS = ("reasoning_tokens", "actions", "output_tokens", "words")


def length_field(records: pl.DataFrame) -> str | None:
    """Return the field that lengths are read from: the first of `LENGTHS` that varies."""
    return next((name for name in LENGTHS if _has_lengths(records, name)), None)


def common_length_field(parts: Sequence[pl.DataFrame]) -> str | None:
    """Return the first of `LENGTHS` that varies in every part, to compare lengths in."""
    return next((name for name in LENGTHS if all(_has_lengths(part, name) for part in parts)), None)


def _has_lengths(records: pl.DataFrame, name: str) -> bool:
    """Tell whether lengths are there, and not all the same."""
    if name not in records.columns:
        return False
    lengths = records[name].drop_nulls()
    return lengths.n_unique() > 1 and records.filter(pl.col(name) > 0).height > 0


def with_wait_ratio(records: pl.DataFrame) -> pl.DataFrame:
    """Add `wait_ratio`: how many of the reasoning's words are "wait", where there is reasoning.

    Source: Hägele et al. 2026, Figure 18.
    """
    words = pl.col("reasoning").str.count_matches(r"\S+")
    waits = pl.col("reasoning").str.count_matches(r"(?i)\bwait\b")
    return records.with_columns(
        pl.when(words > 0).then(waits / words).otherwise(None).alias("wait_ratio")
    )


@dataclass(frozen=True, slots=True)
class Labelled:
    """Values of the questions with one label."""

    # The field of labels.
    label: ClassVar[str]
    questions: int
    samples: int
    # None where no field says.
    clusters: int | None
    # The mean of the length, which has no interval, and its field.
    along: Estimate
    length: str
    plugin: Parts
    corrected: Parts

    @property
    def name(self) -> str:
        """The label."""
        return getattr(self, self.label)


@dataclass(frozen=True, slots=True)
class OfTopic(Labelled):
    """Values of one topic's questions."""

    label: ClassVar[str] = "topic"
    topic: str


@dataclass(frozen=True, slots=True)
class OfDifficulty(Labelled):
    """Values of the questions of one difficulty, as the benchmark has it."""

    label: ClassVar[str] = "difficulty"
    difficulty: str


LABELS: dict[str, type[OfTopic] | type[OfDifficulty]] = {"topic": OfTopic, "difficulty": OfDifficulty}


def by_label(
    questions: Questions, field: str, settings: AnalysisSettings, label: str = "topic"
) -> list[Labelled]:
    """Return each label's mean of a field, its error, parts, accuracy and incoherence, longest first.

    Labels of fewer than ten questions are taken together as one, whose name lists them: a question or two
    that happen to be right would look the most certain of all. KL has plug-in values alone: whether its
    corrected one holds is judged of all questions, and of a topic's few it was seen above 1.

    Args:
        questions: of one model and setting.
        field: the length; its mean has no interval.
        settings: the metric.
        label: a field of names: topic, or difficulty as the benchmark has it.

    Raises:
        ValueError: where no question has the label, or none the field.

    Source: Hägele et al. 2026, Figure 22.
    """
    if label not in questions.table.columns or questions.table[label].is_null().all():
        near = "" if label in questions.table.columns else nearest(label, questions.table.columns)
        raise ValueError(f"no record has a {label}{near}")
    check_name("label", label, LABELS)
    field_of(questions.table, field)
    found: list[Labelled] = []
    most = largest_error(questions)
    rows = questions.table.with_row_index("row").filter(
        pl.col(field).is_not_null() & pl.col(label).is_not_null()
    )
    if settings.metric == "kl":
        questions = questions._replace(
            corrected=jax.tree.map(lambda of: np.nan * of, questions.corrected)
        )
    for (name,), part in _few_together(rows, label).group_by(label, maintain_order=True):
        kept = questions.where(part["row"].to_numpy())
        plugin, corrected = (
            parts_from(*estimate_parts(parts_of(kept, form), most, kept.clusters), Parts)
            for form in FORMS
        )
        along = Estimate(kept.table.select(pl.col(field).mean()).item(), Interval(None, None))
        counted = kept.table.height, kept.samples, count_in(kept.table)
        found.append(LABELS[label](*counted, along, field, plugin, corrected, name))
    return sorted(found, key=lambda row: -row.along.known)


def _few_together(rows: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return questions with one label for all that fewer than `FEW` of them have."""
    few = sorted(rows.group_by(label).len().filter(pl.col("len") < FEW)[label].to_list())
    if not few:
        return rows
    count = f"{len(few)} others" if len(few) > 1 else "1 other"
    together = f"{count} (fewer than {FEW} questions each: {', '.join(map(str, few))})"
    return rows.with_columns(
        pl.when(pl.col(label).is_in(few)).then(pl.lit(together)).otherwise(pl.col(label)).alias(label)
    )


DIFFERENCES = ("incoherence", "bias2", "variance", "error", "accuracy")


def tell_along(results: Mapping[str, AlongField], shown: Sequence[str] = DIFFERENCES) -> str:
    """Return differences of halves, and slopes against a field.

    Args:
        results: each model's result.
        shown: what is told of it: all, or of embeddings, which have nothing else, the variance.
    """
    sloping = [name for name in shown if name != "accuracy"]
    field = fields_named(results.values())
    rows, halves = [], []
    for model, result in results.items():
        for name, text in forms_of(result):
            form: AlongForm = getattr(result, name)
            for count, slopes in sorted(form.slopes.items()):
                cells = [_slope_cell(getattr(slopes, of)) for of in sloping]
                rows.append([model, text, *counts(result), str(count), *cells])
            cells = [cell(getattr(form.halves, of)) for of in shown]
            halves.append([model, text, *counts(result), *cells])
    first = ["model", "estimate", "questions", "samples"]
    notes = [f"- {model}: {' '.join(_field_notes(result))}" for model, result in results.items()]
    return "\n\n".join([
        f"The half of the questions with the higher mean {field}, less the other half. Which half a question "
        "is in is said by some of its samples, and what is measured by the others, over "
        f"{next(iter(results.values())).splits} splits both ways: samples that say both make differences "
        "out of noise. Few samples say a question's length badly, which brings differences and slopes nearer "
        "to 0.",
        table([*first, *(PARTS_NAMED.get(name, name) for name in shown)], halves),
        f"Slopes k of value ∝ (mean {field})^k through groups of equal size, of ten questions at least.",
        table([*first, "groups", *(PARTS_NAMED.get(name, name) for name in sloping)], rows),
        "\n".join(notes),
    ])  # fmt: skip


def fields_named(results: Iterable[AlongField]) -> str:
    """Return the fields of all models, as tables and axes name them."""
    return " or ".join(dict.fromkeys(result.field.replace("_", " ") for result in results))


def _slope_cell(slope: Exponent) -> str:
    return cell(slope.estimate) + (f", R² {number(slope.r2, 2)}" if slope.r2 is not None else "")


def _field_notes(result: AlongField) -> list[str]:
    """Say what is concluded, and what must be known of it."""
    notes = [_conclusion(result.conclusion)]
    if result.no_corrected:
        notes.append(f"{result.no_corrected}.")
    notes.append(f"Plug-in values are of {result.plugin_samples} samples a question.")
    if result.too_few:
        notes.append(f"{result.too_few} questions have fewer than four samples, and are left out.")
    if result.without_field:
        notes.append(f"Questions without {result.field}: {result.without_field}.")
    if result.shared_contexts:
        notes.append(
            f"{result.shared_contexts} questions have two or three contexts: the samples that say how long "
            "they are share them with those that are measured, which may still make a difference by chance."
        )
    return notes


def _conclusion(conclusion: Conclusion) -> str:
    """Say what slopes and halves agree on."""
    if not conclusion.known:
        return f"nothing can be said of {conclusion.quantity}."
    words = {
        "falls": conclusion.falls,
        "is not seen to change": conclusion.unchanged,
        "rises": conclusion.rises,
    }
    counts = ", ".join(f"{word} in {number}" for word, number in words.items() if number)
    return (
        f"of {conclusion.estimates} {FORM_NAMES[conclusion.form]} estimates (halves, and slopes in groups: "
        f"{conclusion.estimates - 1}; of the same samples), {conclusion.known} have an interval: "
        f"{conclusion.quantity} {counts}."
    )


def tell_labels(results: Mapping[str, Sequence[Labelled]]) -> str:
    """Return the table of topics, or of a benchmark's difficulties."""
    rows = []
    for model, labels in results.items():
        for row in labels:
            forms = [form for form in ("corrected", "plugin")
                     if getattr(row, form).incoherence.value is not None] or ["plugin"]  # fmt: skip
            for form in forms:
                parts: Parts = getattr(row, form)
                cells = [cell(row.along), cell(parts.accuracy), cell(parts.incoherence)]
                rows.append([model, row.name, FORM_NAMES[form], *counts(row), *cells])
    every = [row for labels in results.values() for row in labels]
    mean = f"mean {lengths_named(every)}"
    header = [
        "model",
        every[0].label,
        "estimate",
        "questions",
        "samples",
        mean,
        "accuracy",
        "incoherence",
    ]
    return table(header, rows)


def lengths_named(rows: Sequence[Labelled]) -> str:
    """Return the fields of the lengths, as tables and axes name them."""
    return " or ".join(dict.fromkeys(row.length.replace("_", " ") for row in rows))
