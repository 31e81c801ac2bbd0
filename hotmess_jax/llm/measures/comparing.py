"""Conditions against a baseline, on the questions that both have: paired differences with tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

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
from hotmess_jax.llm.measures.samples import QUESTION, to_samples
from hotmess_jax.llm.measures.series import setting_name, settings_that_differ
from hotmess_jax.llm.records import SETTINGS, TASK_SETTINGS
from hotmess_jax.statistics.estimate import Interval, holm
from hotmess_jax.statistics.intervals import Clusters, paired_difference


@dataclass(frozen=True)
class Paired:
    """One quantity of a condition less the baseline's; what is not known is None."""

    value: float | None
    ci95: Interval
    p: float | None
    p_holm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "value": self.value,
            "ci95": self.ci95.to_json(),
            "p": self.p,
            "p_holm": self.p_holm,
        }


Form = Mapping[str, Paired]


@dataclass(frozen=True)
class Differences:
    """All quantities of a condition less the baseline's, by one metric on the questions that both have."""

    questions: int
    # Of the condition and of the baseline, on these questions.
    samples: tuple[int, int]
    plugin: Form
    corrected: Form | None
    no_corrected: str | None
    # Samples a question that KL's plug-in form is of.
    kl_samples: int | None
    # Clusters of these questions; None where no field says.
    clusters: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {
            "questions": self.questions,
            "clusters": self.clusters,
            "samples": dict(zip(("value", "baseline"), self.samples, strict=True)),
            "plugin": _form_json(self.plugin),
            "corrected": None if self.corrected is None else _form_json(self.corrected),
            "no_corrected": self.no_corrected,
            "kl_samples": self.kl_samples,
        }


@dataclass(frozen=True)
class Comparison:
    """A condition against the baseline, within one part of the records."""

    # What tells the part from others: its model, but where models are compared, and its settings.
    part: dict[str, Any]
    field: str
    baseline: Any
    value: Any
    questions: int
    samples: tuple[int, int]  # of the condition and of the baseline
    # Settings that go with the field: the condition's and the baseline's.
    also_differs: dict[str, tuple[Any, Any]]
    metrics: Mapping[str, Differences]

    @property
    def label(self) -> str:
        """The comparison's name, a line for the part."""
        part = [str(v) if name == "model" else setting_name(name, v) for name, v in self.part.items()]
        names = [_condition(self.field, of) for of in (self.value, self.baseline)]
        return "\n".join([*part, " − ".join(names)])

    @property
    def unequal(self) -> bool:
        """Whether the two have unequal numbers of samples: plug-in values grow with them."""
        return self.samples[0] != self.samples[1]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        both = dict(zip(("value", "baseline"), self.samples, strict=True))
        return {
            "part": to_json(self.part),
            "field": self.field,
            "baseline": to_json(self.baseline),
            "value": to_json(self.value),
            "questions": self.questions,
            "samples": both,
            "unequal_samples": self.unequal,
            "also_differs": to_json({k: list(v) for k, v in self.also_differs.items()}),
            "metrics": {name: of.to_json() for name, of in self.metrics.items()},
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
    parts = _groups(records, keys)
    found, not_made = [], []
    samples = {
        (values, value): to_samples(rows, settings.unparsed)
        for values, part in parts
        for (value,), rows in _groups(part, [field])
    }
    least = min((of.least for of in samples.values() if of.blocks), default=None)
    for values, part in parts:
        named = dict(zip(keys, values, strict=True))
        where = ", ".join(
            str(v) if name == "model" else setting_name(name, v) for name, v in named.items()
        )
        rows_of = {value: rows for (value,), rows in _groups(part, [field])}
        if chosen not in rows_of:
            not_made.append(f"{where or 'all'}: has no {_condition(field, chosen)} to compare with")
            continue
        for value, rows in rows_of.items():
            if value == chosen:
                continue
            try:
                of_metrics: dict[str, Differences] = {}
                for metric in metrics:
                    analysis = replace(settings, metric=metric, kl_samples=least)
                    one, other = (
                        questions_of(of, analysis, samples[values, which])
                        for which, of in ((value, rows), (chosen, rows_of[chosen]))
                    )
                    of_metrics[metric] = differences(one, other, metric)
            except ValueError as error:
                at = ", ".join(filter(None, [where, _condition(field, value)]))
                not_made.append(f"{at}: {error}")
                continue
            first = next(iter(of_metrics.values()))
            also = _also_differs(rows, rows_of[chosen], [*keys, field])
            found.append(
                Comparison(
                    named, field, chosen, value, first.questions, first.samples, also, of_metrics
                )
            )
    if not found:
        raise ValueError(
            f"nothing to compare with {_condition(field, chosen)}"
            + (f": {'; '.join(not_made)}" if not_made else ": no record has another value")
        )
    adjusted = {
        metric: with_holm([comparison.metrics[metric] for comparison in found]) for metric in metrics
    }
    made = tuple(
        replace(comparison, metrics={metric: adjusted[metric][i] for metric in metrics})
        for i, comparison in enumerate(found)
    )
    return Comparisons(made, tuple(not_made))


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
        (one.samples, other.samples),
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
        low, high = (to_json(float(end)) for end in np.clip(result.ci95, -bound, bound))
        found[name] = Paired(
            to_json(float(result.value)), Interval(low, high), to_json(float(result.p))
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


def _form_json(form: Form) -> dict[str, Any]:
    return {name: of.to_json() for name, of in form.items()}
