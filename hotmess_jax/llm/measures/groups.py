"""Questions sorted by a field, in groups of equal size: the paper's main analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import jax
import numpy as np
import polars as pl
from jaxtyping import Float

from hotmess_jax.llm.measures.clusters import clusters_in, count_in
from hotmess_jax.llm.measures.cross_fitting import (
    FORMS,
    LEAST,
    NO_KL,
    SPLITS,
    Grouped,
    cross_fit,
    group_values,
    groups_along,
    halves_difference,
    in_groups,
)
from hotmess_jax.llm.measures.questions import (
    AnalysisSettings,
    Json,
    Questions,
    estimate_parts,
    largest_error,
    parts_of,
    to_json,
    with_intervals,
)
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.measures.subsets import Sampled, sampled_of
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell, counts, forms_of
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics import power_laws
from hotmess_jax.statistics.intervals import FEW, Clusters, effective_questions
from kernels.names import nearest

SLOPES = ("error", "bias2", "variance", "incoherence")
# Fewer questions do not bear a group.
A_GROUP = 10


def by_field(
    records: pl.DataFrame,
    field: str,
    settings: AnalysisSettings,
    groups: Sequence[int] = (10, 5, 20),
    vectors: Float[np.ndarray, "records d"] | None = None,
) -> Json:
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

    Returns:
        `curves`, `slopes` and `halves` of each form, a value with its interval each; `halves` is the half of
        the questions with more of the field less the other half. The plug-in form is of `plugin_samples`
        samples of each question; the corrected one is None where there is none, as `no_corrected` says.

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
    counted = {
        "without_field": records.select(QUESTION).n_unique() - having,
        "too_few": having - found["questions"],
    }
    return {"field": field} | found | counted


def along_field(
    sampled: Sampled,
    lengths: Sequence[Float[np.ndarray, "questions samples"]],
    settings: AnalysisSettings,
    groups: Sequence[int],
    field: str,
) -> Json:
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
    found: Json = {
        "metric": sampled.measure,
        "questions": number,
        "samples": fitted.samples,
        "clusters": count_in(who),
        "shared_contexts": fitted.shared_contexts,
        "splits": SPLITS,
        "plugin_samples": fitted.plugin_samples,
        "groups": counts[0],
        "no_corrected": NO_KL if sampled.measure == "kl" else None,
    }
    random = np.random.default_rng(settings.seed)
    halves = groups_along(fitted.along, 2, random)
    of_count = {count: groups_along(fitted.along, count, random) for count in counts}
    for form in FORMS:
        if form == "corrected" and found["no_corrected"]:
            found[form] = None
            continue
        between = halves_difference(in_groups(fitted, form, halves, 2), sampled.most, False, clusters)
        found[form] = {"slopes": {}, "halves": with_intervals(*between)}
        for count, group in of_count.items():
            grouped = in_groups(fitted, form, group, count)
            if count == counts[0]:
                found[form]["curves"] = with_intervals(*group_values(grouped, sampled.most, clusters))
            found[form]["slopes"][str(count)] = slopes_of(grouped, clusters)
    return found | {"conclusion": asdict(conclusion_of(found))}


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


def conclusion_of(result: Json) -> Conclusion:
    """Return what is concluded of incoherence or, of embeddings, which have none, of the variance.

    Args:
        result: of `along_field`.
    """
    quantity = "variance" if result["metric"] == "dispersion" else "incoherence"
    form = "plugin" if result["corrected"] is None else "corrected"
    estimates = [result[form]["halves"][quantity]]
    estimates += [slopes[quantity] for slopes in result[form]["slopes"].values()]
    intervals = [of["ci95"] for of in estimates if of["value"] is not None and None not in of["ci95"]]
    rises = sum(low > 0 for low, _ in intervals)
    falls = sum(low <= 0 and high < 0 for low, high in intervals)
    return Conclusion(quantity, form, len(estimates), len(intervals), rises, falls)


def slopes_of(grouped: Grouped, clusters: Clusters = None) -> Json:
    """Return slopes of power laws through the groups, with intervals over questions or clusters and R²."""
    # Of one group: it is among its own questions that a group's value is seen to vary. Clusters may be in all.
    effective = float(effective_questions(_held(grouped))) / grouped.share.shape[1]
    grouped = grouped.of_clusters(clusters)
    effective = min(effective, float(effective_questions(_held(grouped))))
    along, share = grouped.along.sum(axis=0), grouped.share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(along / share)[:, None]
        without = np.log((along - grouped.along) / (share - grouped.share))[..., None]
    found = {}
    for name in SLOPES:
        part, whole = grouped.quotient(name)
        total = part.sum(axis=0), whole.sum(axis=0)
        fit = power_laws.fit(x, *total)
        left_out = power_laws.fit(without, total[0] - part, total[1] - whole)
        value = fit.coefficients[..., 1]
        ends = power_laws.jackknife_interval(value, left_out.coefficients[:, 1], effective)
        found[name] = {
            "value": to_json(float(value)),
            "ci95": to_json(ends),
            "r2": to_json(float(fit.r2)),
        }
    return found


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


def by_label(
    questions: Questions, field: str, settings: AnalysisSettings, label: str = "topic"
) -> list[Json]:
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
    field_of(questions.table, field)
    found = []
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
        row: Json = {label: name, "questions": kept.table.height, "samples": kept.samples}
        row["clusters"] = count_in(kept.table)
        row["along"] = {"value": to_json(kept.table[field].mean()), "ci95": [None, None]}
        for form in FORMS:
            row[form] = with_intervals(*estimate_parts(parts_of(kept, form), most, kept.clusters))
        row["length"] = field
        found.append(row)
    return sorted(found, key=lambda row: -row["along"]["value"])


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


def tell_along(results: Mapping[str, Json], shown: Sequence[str] = DIFFERENCES) -> str:
    """Return differences of halves, and slopes against a field.

    Args:
        results: each model's result.
        shown: what is told of it: all, or of embeddings, which have nothing else, the variance.
    """
    slopes_of = [name for name in shown if name != "accuracy"]
    field = " or ".join(dict.fromkeys(r["field"].replace("_", " ") for r in results.values()))
    rows, halves = [], []
    for model, result in results.items():
        for form, text in forms_of(result):
            for count, slopes in sorted(result[form]["slopes"].items(), key=lambda item: int(item[0])):
                cells = [
                    cell(slopes[k])
                    + (f", R² {number(slopes[k]['r2'], 2)}" if slopes[k]["r2"] is not None else "")
                    for k in slopes_of
                ]
                rows.append([model, text, *counts(result), count, *cells])
            cells = [cell(result[form]["halves"][k]) for k in shown]
            halves.append([model, text, *counts(result), *cells])
    first = ["model", "estimate", "questions", "samples"]
    notes = [f"- {model}: {' '.join(_field_notes(result))}" for model, result in results.items()]
    return "\n\n".join([
        f"The half of the questions with the higher mean {field}, less the other half. Which half a question "
        "is in is said by some of its samples, and what is measured by the others, over "
        f"{next(iter(results.values()))['splits']} splits both ways: samples that say both make differences "
        "out of noise. Few samples say a question's length badly, which brings differences and slopes nearer "
        "to 0.",
        table([*first, *(PARTS_NAMED.get(name, name) for name in shown)], halves),
        f"Slopes k of value ∝ (mean {field})^k through groups of equal size, of ten questions at least.",
        table([*first, "groups", *(PARTS_NAMED.get(name, name) for name in slopes_of)], rows),
        "\n".join(notes),
    ])  # fmt: skip


def _field_notes(result: Json) -> list[str]:
    """Say what is concluded, and what must be known of it."""
    notes = [_conclusion(Conclusion(**result["conclusion"]))]
    if result["no_corrected"]:
        notes.append(f"{result['no_corrected']}.")
    notes.append(f"Plug-in values are of {result['plugin_samples']} samples a question.")
    if result["too_few"]:
        notes.append(f"{result['too_few']} questions have fewer than four samples, and are left out.")
    if result["without_field"]:
        notes.append(f"Questions without {result['field']}: {result['without_field']}.")
    if result["shared_contexts"]:
        notes.append(
            f"{result['shared_contexts']} questions have two or three contexts: the samples that say how long "
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


def tell_labels(results: Mapping[str, Sequence[Json]]) -> str:
    """Return the table of topics, or of a benchmark's difficulties."""
    label = (
        "difficulty"
        if any("difficulty" in row for rows in results.values() for row in rows)
        else "topic"
    )
    rows = []
    for model, labels in results.items():
        for row in labels:
            forms = [form for form in ("corrected", "plugin")
                     if row[form]["incoherence"]["value"] is not None] or ["plugin"]  # fmt: skip
            for form in forms:
                cells = [
                    cell(row["along"]),
                    *(cell(row[form][k]) for k in ("accuracy", "incoherence")),
                ]
                rows.append([model, row[label], FORM_NAMES[form], *counts(row), *cells])
    lengths = dict.fromkeys(row["length"].replace("_", " ") for of in results.values() for row in of)
    mean = f"mean {' or '.join(lengths)}"
    header = ["model", label, "estimate", "questions", "samples", mean, "accuracy", "incoherence"]
    return table(header, rows)
