"""Conditions against a baseline, on the questions that both have: paired differences with tests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from hotmess_jax import documents
from hotmess_jax.llm.measures.clusters import clusters_in, count_in, of_all
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.questions import (
    FORMS,
    QUANTITIES,
    AnalysisSettings,
    Questions,
    largest_error,
    parts_of,
    questions_of,
    to_json,
)
from hotmess_jax.llm.measures.samples import QUESTION, Samples, Unparsed, to_samples
from hotmess_jax.llm.measures.series import setting_name, settings_that_differ
from hotmess_jax.llm.records import SETTINGS, TASK_SETTINGS
from hotmess_jax.statistics.estimate import Estimate, Interval, finite, holm
from hotmess_jax.statistics.intervals import Clusters, paired_difference


@dataclass(frozen=True, slots=True)
class Paired:
    """One quantity of a condition less the baseline's; what is not known is None."""

    value: float | None
    ci95: Interval
    p: float | None
    p_holm: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The difference with its interval alone."""
        return Estimate(self.value, self.ci95)


# By quantity; 0/1 has no incoherence.
Form = dict[str, Paired]


@dataclass(frozen=True, slots=True)
class SamplesOfBoth:
    """How many samples the condition and the baseline have."""

    value: int
    baseline: int

    @property
    def unequal(self) -> bool:
        """Whether they have unequal numbers: plug-in values grow with them."""
        return self.value != self.baseline


@dataclass(frozen=True, slots=True)
class Differences:
    """All quantities of a condition less the baseline's, by one metric on the questions that both have."""

    questions: int
    # On these questions.
    samples: SamplesOfBoth
    plugin: Form
    corrected: Form | None
    no_corrected: str | None
    # Samples a question that KL's plug-in form is of.
    kl_samples: int | None
    # Clusters of these questions; None where no field says.
    clusters: int | None = None


@dataclass(frozen=True)
class Comparison:
    """A condition against the baseline, within one part of the records."""

    # What tells the part from others: its model, but where models are compared, and its settings.
    part: dict[str, Any]
    field: str
    baseline: Any
    value: Any
    questions: int
    samples: SamplesOfBoth
    # Settings that go with the field: the condition's and the baseline's.
    also_differs: dict[str, tuple[Any, Any]]
    metrics: Mapping[str, Differences]

    @property
    def label(self) -> str:
        """The comparison's name, a line for the part."""
        part = [str(v) if name == "model" else setting_name(name, v) for name, v in self.part.items()]
        names = [_condition(self.field, of) for of in (self.value, self.baseline)]
        return "\n".join([*part, " − ".join(names)])

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {
            "part": to_json(self.part),
            "field": self.field,
            "baseline": to_json(self.baseline),
            "value": to_json(self.value),
            "questions": self.questions,
            "samples": asdict(self.samples),
            "unequal_samples": self.samples.unequal,
            "also_differs": to_json({k: list(v) for k, v in self.also_differs.items()}),
            "metrics": {name: documents.to_json(Differences, of) for name, of in self.metrics.items()},
        }


@dataclass(frozen=True)
class Comparisons:
    """All comparisons that were made, and why others were not."""

    made: tuple[Comparison, ...]
    not_made: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return both as JSON values."""
        made = [of.to_json() for of in self.made]
        return {"comparisons": made, "comparisons_not_made": list(self.not_made)}


def compare(
    records: pl.DataFrame,
    field: str,
    baseline: str,
    by: Sequence[str] = (),
    metrics: Sequence[Metric] = METRICS,
    settings: AnalysisSettings | None = None,
) -> Comparisons:
    """Compare each other value of a field with the baseline, within each model and setting.

    Settings that go with the field, such as a prompt of each condition, are said; those that vary apart from
    it make parts of their own.

    Args:
        records: from `read_records`.
        field: what tells conditions apart; `model` too.
        baseline: its value, as text; "none" is also that of records without the field.
        by: further fields to compare within.
        metrics: which decompositions.
        settings: treatment of unparsed answers, smoothing, seed, and the clusters that intervals and tests are
            over.

    Returns:
        The comparisons, with p-values adjusted by Holm: of each quantity over all comparisons made.

    Raises:
        ValueError: where no record has the field or the baseline's value, or nothing can be compared.
    """
    settings = settings or AnalysisSettings()
    chosen = value_named(records, field, baseline)
    known = list(dict.fromkeys(["model", *by, field]))
    keys = [k for k in [*known, *settings_that_differ(records, known)] if k != field]
    parts = [
        _Part(dict(zip(keys, values, strict=True)), _conditions(part, field, settings.unparsed))
        for values, part in _groups(records, keys)
    ]
    samples = [of.samples for part in parts for of in part.conditions.values()]
    least = min((of.least for of in samples if of.blocks), default=None)
    of_metrics = [replace(settings, metric=metric, kl_samples=least) for metric in metrics]
    found, not_made = [], []
    for part in parts:
        if chosen not in part.conditions:
            without = f"has no {_condition(field, chosen)} to compare with"
            not_made.append(f"{part.where or 'all'}: {without}")
            continue
        for value in part.conditions:
            if value == chosen:
                continue
            try:
                found.append(_compared(part, field, chosen, value, of_metrics))
            except ValueError as error:
                at = ", ".join(filter(None, [part.where, _condition(field, value)]))
                not_made.append(f"{at}: {error}")
    if not found:
        raise ValueError(
            f"nothing to compare with {_condition(field, chosen)}"
            + (f": {'; '.join(not_made)}" if not_made else ": no record has another value")
        )
    return Comparisons(_adjusted(found), tuple(not_made))


class _Records(NamedTuple):
    """A condition's records, and the same as arrays."""

    table: pl.DataFrame
    samples: Samples


@dataclass(frozen=True)
class _Part:
    """Records that differ in the field, and in what goes with it, alone."""

    named: dict[str, Any]
    # By the field's value.
    conditions: dict[Any, _Records]

    @property
    def where(self) -> str:
        """What tells the part from others, in a line."""
        return ", ".join(
            str(v) if name == "model" else setting_name(name, v) for name, v in self.named.items()
        )


def _conditions(part: pl.DataFrame, field: str, unparsed: Unparsed) -> dict[Any, _Records]:
    return {
        value: _Records(rows, to_samples(rows, unparsed)) for (value,), rows in _groups(part, [field])
    }


def _compared(
    part: _Part, field: str, baseline: Any, value: Any, of_metrics: Sequence[AnalysisSettings]
) -> Comparison:
    """Return a condition less the baseline, by each metric.

    Raises:
        ValueError: where they cannot be compared.
    """
    conditions = part.conditions[value], part.conditions[baseline]
    metrics: dict[str, Differences] = {}
    for settings in of_metrics:
        one, other = (questions_of(of.table, settings, of.samples) for of in conditions)
        metrics[settings.metric] = differences(one, other, settings.metric)
    first = next(iter(metrics.values()))
    also = _also_differs(conditions[0].table, conditions[1].table, [*part.named, field])
    return Comparison(part.named, field, baseline, value, first.questions, first.samples, also, metrics)


def _adjusted(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return comparisons with p-values adjusted by Holm: each metric's quantities over all of them."""
    metrics = list(found[0].metrics)
    adjusted = {metric: with_holm([of.metrics[metric] for of in found]) for metric in metrics}
    return tuple(
        replace(of, metrics={metric: adjusted[metric][i] for metric in metrics})
        for i, of in enumerate(found)
    )


def differences(first: Questions, second: Questions, metric: Metric) -> Differences:
    """Return the first's quantities less the second's, on the questions that both have.

    p-values stand alone; `with_holm` adjusts those of several.

    Args:
        first: of one condition.
        second: of the baseline.
        metric: of both.

    Raises:
        ValueError: where they share fewer than two questions, or name two clusters of one.
    """
    one, other = shared(first, second)
    if one.table.height < 2:
        raise ValueError("fewer than two questions have two samples of both")
    who = of_all([one.table, other.table], one.table)
    clusters = clusters_in(who)
    none = one.no_corrected or other.no_corrected
    forms = {
        form: _form(one, other, form, metric, clusters) if form == "plugin" or none is None else None
        for form in FORMS
    }
    assert forms["plugin"] is not None
    return Differences(
        one.table.height,
        SamplesOfBoth(one.samples, other.samples),
        forms["plugin"],
        forms["corrected"],
        none,
        one.kl_samples,
        count_in(who),
    )


def shared(first: Questions, second: Questions) -> tuple[Questions, Questions]:
    """Return both at the questions that both have, in one order."""
    rows = [of.table.select(QUESTION).with_row_index(f"row{i}") for i, of in enumerate((first, second))]
    both = rows[0].join(rows[1], on=QUESTION, nulls_equal=True).sort("row0")
    one, other = (of.where(both[f"row{i}"].to_numpy()) for i, of in enumerate((first, second)))
    return one, other


def _form(first: Questions, second: Questions, form: str, metric: Metric, clusters: Clusters) -> Form:
    """Return the differences of one form."""
    arrays = [
        {name: np.asarray(part) for name, part in parts_of(of, form).items()} for of in (first, second)
    ]
    largest = max(largest_error(first), largest_error(second))
    # The variance of a distribution over classes is at most half of the largest squared error.
    most = {"accuracy": 1.0, "error": largest, "bias2": largest, "variance": largest / 2}
    found = {}
    for name in QUANTITIES:
        if name == "incoherence":
            if metric == "zero_one":
                continue
            parts = arrays[0]["variance"], arrays[1]["variance"]
            wholes = tuple(of["bias2"] + of["variance"] for of in arrays)
            result = paired_difference(parts, (wholes[0], wholes[1]), largest / 2, clusters)
            bound = 1.0
        else:
            bound = most[name]
            result = paired_difference((arrays[0][name], arrays[1][name]), None, bound, clusters)
        ends = np.clip(result.ci95, -bound, bound)
        found[name] = Paired(
            finite(float(result.value)), Interval(*map(finite, ends.tolist())), finite(float(result.p))
        )
    return found


def with_holm(found: Sequence[Differences]) -> list[Differences]:
    """Return differences whose p-values are adjusted: each quantity's over all of them."""
    adjusted = list(found)
    for form in FORMS:
        for name in QUANTITIES:
            known = [
                i
                for i, of in enumerate(found)
                if (values := getattr(of, form)) and name in values and values[name].p is not None
            ]
            p = holm(np.asarray([getattr(found[i], form)[name].p for i in known], float))
            for i, value in zip(known, p, strict=True):
                values = dict(getattr(adjusted[i], form))
                values[name] = replace(values[name], p_holm=float(value))
                one = adjusted[i]
                adjusted[i] = (
                    replace(one, plugin=values) if form == "plugin" else replace(one, corrected=values)
                )
    return adjusted


def value_named(records: pl.DataFrame, field: str, text: str) -> Any:
    """Return the value of a field that a text names; None for "none" where records lack the field.

    Raises:
        ValueError: where no record has it.
    """
    if field not in records.columns or records[field].null_count() == records.height:
        raise ValueError(f"no record has a field {field!r} to compare")
    known = records[field].unique(maintain_order=True).to_list()
    for value in known:
        if value is not None and (str(value) == text or _number(text) == value):
            return value
        if isinstance(value, bool) and str(value).lower() == text.lower():
            return value
    if text.lower() in ("none", "null", "") and None in known:
        return None
    names = sorted("none" if value is None else str(value) for value in known)
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise ValueError(f"no record has {field} {text!r}: there are {shown}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _groups(records: pl.DataFrame, keys: Sequence[str]) -> list[tuple[tuple, pl.DataFrame]]:
    """Return the records of each value of the fields, in order."""
    if not keys:
        return [((), records)]
    rows = records.sort(list(keys), nulls_last=True, maintain_order=True)
    return [(tuple(v), part) for v, part in rows.group_by(list(keys), maintain_order=True)]


def _also_differs(
    first: pl.DataFrame, second: pl.DataFrame, known: Sequence[str]
) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which a condition differs from the baseline, besides the field."""
    found = {}
    for name in (*SETTINGS, *TASK_SETTINGS):
        if name in first.columns and name not in known:
            one, other = (set(of[name].unique().to_list()) for of in (first, second))
            if one != other and len(one) == len(other) == 1:
                found[name] = (one.pop(), other.pop())
    return found


def _condition(field: str, value: Any) -> str:
    """Return a condition's name: a model's own, or "hint wrong"."""
    return str(value) if field == "model" else setting_name(field, value)
