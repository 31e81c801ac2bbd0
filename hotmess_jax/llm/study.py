"""Every analysis of a table of records that its fields allow, as one document."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from hotmess_jax.llm.analyses import (
    METRICS,
    AnalysisSettings,
    Metric,
    Questions,
    Series,
    answer_changes,
    answer_changes_by_length,
    by_budget,
    by_field,
    by_label,
    common_length_field,
    difficulty_labels,
    efficiency,
    ensembling,
    format_failures,
    incoherence_surface,
    length_correlation,
    length_field,
    natural_overthinking,
    one_question,
    overall,
    questions_of,
    scaling_by_difficulty,
    sensitivity,
    series_of,
    setting_name,
    unit_test_questions,
    with_wait_ratio,
)
from hotmess_jax.llm.analyses.clusters import count_in, with_clusters
from hotmess_jax.llm.analyses.comparing import differences, value_named, with_holm
from hotmess_jax.llm.analyses.left_out import left_out_by_difficulty
from hotmess_jax.llm.analyses.questions import to_json
from hotmess_jax.llm.analyses.repeats import repeats
from hotmess_jax.llm.analyses.samples import QUESTION, Samples, to_samples
from hotmess_jax.llm.analyses.series import as_given, check_fields, field_of
from hotmess_jax.llm.analyses.successes import (
    MEANING,
    SHARES,
    is_of_successes,
    share_questions,
    with_successes,
)
from kernels.names import check_names, nearest

Json = dict[str, Any]
NO_LENGTH = "no record has a length: reasoning_tokens, actions, output_tokens or words"
NO_OPTIONS = "no record has a choice among options: they are open answers, unit tests or outcomes alone"


@dataclass(frozen=True)
class StudySettings:
    """What a study of records is told."""

    metrics: Sequence[Metric]
    analysis: AnalysisSettings
    # None is the first of reasoning_tokens, actions, output_tokens and words that a series' records have.
    length: str | None = None
    groups: Sequence[int] = (10, 5, 20)
    difficulties: int = 3
    # Whose lengths decide difficulty; None is the largest model, or the first.
    reference: str | None = None
    parameters: Mapping[str, float] | None = None
    permutations: int = 1_000
    # How many ensembles of a size are compared, where the samples suffice.
    ensembles: int = 10
    # Fields that tell settings apart besides temperature, budget, format and prompt.
    by: Sequence[str] = ()
    # The field whose values are compared, and the one they are compared with, as text; None compares all pairs
    # of series that differ in one thing.
    compare: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        check_names("metrics", self.metrics, METRICS)


class _Study:
    """Gathers results, and why others are missing."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.missing: list[Json] = []
        self.say = say

    def run(self, analysis: str, model: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Run one analysis of one model; where its fields are missing, say which."""
        self.say(f"{model}: {analysis}")
        with self.noting(analysis, model):
            self.found.setdefault(analysis, {})[model] = function(*arguments)

    def leave_out(self, analysis: str, model: str, why: str) -> None:
        """Note an analysis that is not done."""
        self.missing.append({"analysis": analysis, "model": model, "why": why})

    @contextlib.contextmanager
    def noting(self, analysis: str, model: str) -> Iterator[None]:
        """Note an analysis that cannot be done."""
        try:
            yield
        except ValueError as error:
            self.leave_out(analysis, model, str(error))


def study(
    records: pl.DataFrame,
    settings: StudySettings,
    vectors: np.ndarray | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Json:
    """Run every analysis that the records' fields allow, of each model at each setting on its own.

    Args:
        records: from `read_records`; with `row`, each record's row in `vectors`, where there are any.
        settings: of the study.
        vectors: embeddings of open answers, NaN where there is none.
        say: called with what is being done.

    Returns:
        {"series": [{"label", "model", "settings", "length"}], "analyses": {name: {label: result}},
        "missing": [{"analysis", "model", "why"}], …}; results are what the functions of `analysis`
        return. A label is the model's name, and the settings that tell it from others, such as "gpt,
        budget low"; what compares models compares those of one setting.

    Raises:
        ValueError: for a model, a numeric field of lengths or a field in `by` that no record has.
    """
    if settings.compare is not None:
        value_named(records, settings.compare, settings.baseline or "none")
        if settings.compare not in ("model", *settings.by):
            settings = replace(settings, by=[*settings.by, settings.compare])
    check_fields(records, settings.by, " to tell settings apart")
    records = as_given(records, settings.by)
    if settings.analysis.cluster is not None:
        check_fields(records, [settings.analysis.cluster], " to cluster by")
    if settings.length is not None:
        field_of(records, settings.length)
    models = records["model"].unique(maintain_order=True).to_list()
    named = [*filter(None, [settings.reference]), *(settings.parameters or {})]
    for name in named:
        if name not in models:
            raise ValueError(f"no record is of the model {name!r}{nearest(name, models)}")
    state = _Study(say)
    whole = records
    records, shares = with_successes(records)
    series = [
        _Part(one.label, one.model, one.settings, one.records, _length(one.records, settings))
        for one in series_of(records, settings.by)
    ]
    choice = _choice_parts(series)
    budgets = [
        _Part(one.label, one.model, one.settings, one.records, _length(one.records, settings))
        for one in series_of(records, settings.by, but=["budget"])
    ]
    budgets = _choice_parts(budgets)
    samples = {part.label: to_samples(part.records, settings.analysis.unparsed) for part in choice}
    chosen = {part.label for part in choice}
    for part in series:
        if part.label not in chosen:
            state.leave_out("overall", part.label, NO_OPTIONS)
    least = min((of.least for of in samples.values() if of.blocks), default=None)
    for part in choice:
        if samples[part.label].left_out and samples[part.label].blocks:
            state.run("left_out", part.label, left_out_by_difficulty, part.records, samples[part.label])
    for metric in settings.metrics:
        # KL is compared at equal numbers of samples, those of all series.
        analysis = replace(settings.analysis, metric=metric, kl_samples=least)
        of_metric = replace(settings, analysis=analysis)
        questions = _choices(state, choice, samples, of_metric, metric)
        _differences(state, choice, questions, of_metric, metric)
        _budgets(state, budgets, analysis, metric)
        _between(state, choice, questions, of_metric, metric)
    for part in series:
        state.run("repeats", part.label, _repeats, part.records, settings.analysis)
    _answers(state, choice, settings)
    for part in budgets:
        state.run(
            "format_failures", part.label, format_failures, part.records, settings.analysis.cluster
        )
    _other_outcomes(state, series, settings, vectors)
    _shares(state, shares, settings)
    lengths = list(dict.fromkeys(part.length for part in series if part.length))
    return {
        "models": models,
        "series": [
            {"label": part.label, "model": part.model, "settings": part.settings, "length": part.length,
             "clusters": _clusters(part.records, settings.analysis.cluster)}
            for part in series
        ],
        "questions": whole.select(QUESTION).n_unique(),
        "samples": whole.height,
        "meanings": [*([MEANING] if is_of_successes(records) else []), *([SHARES] if shares.height else [])],
        "length": lengths[0] if lengths else None,
        "settings": to_json(
            {**_plain(settings.analysis),
             "metrics": list(settings.metrics), "groups": list(settings.groups),
             "permutations": settings.permutations, "parameters": dict(settings.parameters or {}),
             "ensembles": settings.ensembles, "by": list(settings.by),
             "compare": settings.compare, "baseline": settings.baseline}
        ),
        "analyses": state.found,
        "missing": state.missing,
    }  # fmt: skip


def _clusters(records: pl.DataFrame, field: str | None) -> int | None:
    """Return how many clusters of questions records have; None where no field says."""
    if field is None or records[field].null_count() == records.height:
        return None
    return count_in(with_clusters(records.select(QUESTION).unique(maintain_order=True), records, field))


@dataclass(frozen=True)
class _Part(Series):
    """One series, and the field that its lengths are read from."""

    length: str | None


def _length(records: pl.DataFrame, settings: StudySettings) -> str | None:
    length = settings.length or length_field(records)
    if length is not None and not records[length].dtype.is_numeric():
        raise ValueError(f"{length} cannot be a length: it holds {records[length].dtype}")
    return length


def _choice_parts(parts: Sequence[_Part]) -> list[_Part]:
    """Return the series' records with a choice among options; those without any are left out."""
    chosen = [replace(part, records=part.records.filter(_is_choice(part.records))) for part in parts]
    return [part for part in chosen if part.records.height]


def _plain(settings: AnalysisSettings) -> Json:
    aside = ("metric", "kl_samples")
    return {name: value for name, value in vars(settings).items() if name not in aside}


def _is_choice(records: pl.DataFrame) -> pl.Expr:
    chosen = pl.col("options").is_not_null()
    # A format that is not known is no open one.
    return chosen & pl.col("format").ne_missing("open") if "format" in records.columns else chosen


def _is_open(records: pl.DataFrame) -> pl.Expr:
    return pl.col("format").eq_missing("open") if "format" in records.columns else pl.lit(False)


def _choices(
    state: _Study,
    parts: Sequence[_Part],
    samples: Mapping[str, Samples],
    settings: StudySettings,
    metric: Metric,
) -> dict[str, Questions]:
    """Run what depends on the metric and is of one series; return each one's questions."""
    analysis = settings.analysis
    questions: dict[str, Questions] = {}
    for part in parts:
        with state.noting(f"overall_{metric}", part.label):
            questions[part.label] = questions_of(part.records, analysis, samples[part.label])
    for part in parts:
        if part.label not in questions:
            continue
        name, records, of, length = part.label, part.records, questions[part.label], part.length
        state.run(f"overall_{metric}", name, overall, of, analysis)
        if length is None:
            for missing in ("by_length", "overthinking", "by_topic", "by_difficulty"):
                state.leave_out(f"{missing}_{metric}", name, NO_LENGTH)
        else:
            state.run(f"by_length_{metric}", name, by_field, records, length, analysis, settings.groups)
            state.run(
                f"overthinking_{metric}",
                name,
                natural_overthinking,
                records,
                length,
                analysis,
                settings.permutations,
            )
            for label in ("topic", "difficulty"):
                state.run(f"by_{label}_{metric}", name, by_label, of, length, analysis, label)
        if "reasoning" not in records.columns:
            state.leave_out(f"wait_ratio_{metric}", name, "no record has a reasoning")
        else:
            waits = with_wait_ratio(records)
            state.run(f"wait_ratio_{metric}", name, by_field, waits, "wait_ratio", analysis,
                      settings.groups)  # fmt: skip
        state.run(f"ensembles_{metric}", name, ensembling, records, analysis, settings.ensembles)
        state.run(f"efficiency_{metric}", name, efficiency, records, analysis)
        state.run(f"sensitivity_{metric}", name, sensitivity, records, analysis, of)
    return questions


def _budgets(state: _Study, parts: Sequence[_Part], analysis: AnalysisSettings, metric: Metric) -> None:
    """Compare budgets: the one analysis of records that differ in it."""
    for part in parts:
        if part.length is None:
            state.leave_out(f"by_budget_{metric}", part.label, NO_LENGTH)
        else:
            state.run(f"by_budget_{metric}", part.label, by_budget, part.records, part.length, analysis)


def _differences(
    state: _Study,
    parts: Sequence[_Part],
    questions: Mapping[str, Questions],
    settings: StudySettings,
    metric: Metric,
) -> None:
    """Compare series that differ in one thing: all pairs, or each with the baseline of the field."""
    made = {}
    for first, second in combinations([part for part in parts if part.label in questions], 2):
        here, there = ({"model": of.model, **of.settings} for of in (first, second))
        apart = [name for name in here if here[name] != there[name]]
        if len(apart) != 1:
            continue
        if settings.compare is not None:
            records = pl.concat([first.records, second.records])
            values = (here.get(settings.compare), there.get(settings.compare))
            try:
                chosen = value_named(records, settings.compare, settings.baseline or "none")
            except ValueError:
                continue
            if apart != [settings.compare] or chosen not in values:
                continue
            if values[0] == chosen:
                first, second = second, first
        pair = f"{first.label} − {second.label}"
        with state.noting(f"differences_{metric}", pair):
            made[pair] = differences(questions[first.label], questions[second.label], metric)
    for pair, found in zip(made, with_holm(list(made.values())), strict=True):
        state.found.setdefault(f"differences_{metric}", {})[pair] = found.to_json()


def _between(
    state: _Study,
    parts: Sequence[_Part],
    questions: Mapping[str, Questions],
    settings: StudySettings,
    metric: Metric,
) -> None:
    """Run what compares the models of each setting."""
    parts = [part for part in parts if part.label in questions]
    by_setting: dict[str, list[_Part]] = {}
    for part in parts:
        names = (setting_name(name, value) for name, value in part.settings.items())
        by_setting.setdefault(", ".join(["all models", *names]), []).append(part)
    for name, of_setting in by_setting.items():
        _scaling_of(state, name, of_setting, settings, metric)
        if len(of_setting) > 1 and name not in state.found.get("length_correlation", {}):
            lengths = {part.label: part.length for part in of_setting if part.length is not None}
            if common := settings.length or common_length_field([p.records for p in of_setting]):
                lengths = dict.fromkeys(lengths, common)
            of = {part.label: part.records for part in of_setting if part.label in lengths}
            if len(of) > 1:
                seed = settings.analysis.seed
                cluster = settings.analysis.cluster
                state.run("length_correlation", name, length_correlation, of, lengths, seed, cluster)


def _scaling_of(
    state: _Study,
    name: str,
    parts: Sequence[_Part],
    settings: StudySettings,
    metric: Metric,
) -> None:
    """Run what needs the models' sizes."""
    given = settings.parameters or {}
    parameters = {part.label: given[part.model] for part in parts if part.model in given}
    if not parameters:
        why = "--parameters gives no model's number of parameters"
        for missing in ("scaling", "surface"):
            state.leave_out(f"{missing}_{metric}", name, why)
        return
    of = {part.label: part.records for part in parts}
    state.run(f"scaling_{metric}", name, _scaling, of, parts, parameters, settings)
    sized = [part for part in parts if part.label in parameters]
    common = settings.length or common_length_field([part.records for part in sized])
    if common is None:
        state.leave_out(f"surface_{metric}", name, "the models have no length in common")
    else:
        models = {part.label: part.records for part in sized}
        state.run(f"surface_{metric}", name, incoherence_surface, models, parameters, common,
                  settings.analysis, settings.groups[0])  # fmt: skip


def _scaling(
    models: Mapping[str, pl.DataFrame],
    parts: Sequence[_Part],
    parameters: Mapping[str, float],
    settings: StudySettings,
) -> Json:
    """Return the scaling with size in groups of difficulty by the reference model's lengths."""
    by_model = {part.model: part for part in parts}
    if settings.reference is not None and settings.reference not in by_model:
        raise ValueError(f"the reference model {settings.reference!r} has no records at this setting")
    largest = max(parts, key=lambda part: parameters.get(part.label, 0))
    reference = by_model[settings.reference] if settings.reference else largest
    if reference.length is None:
        raise ValueError(f"{reference.label}: {NO_LENGTH}")
    return scaling_by_difficulty(
        models,
        parameters,
        reference.label,
        reference.length,
        settings.analysis,
        settings.difficulties,
    )


def _answers(state: _Study, parts: Sequence[_Part], settings: StudySettings) -> None:
    """Run what looks at answers alone."""
    cluster = settings.analysis.cluster
    for part in parts:
        state.run("answer_changes", part.label, answer_changes, part.records, None, cluster)
        changes = state.found.get("answer_changes", {})
        if part.length is not None and part.label in changes:
            with state.noting("answer_changes_by_length", part.label):
                changes[part.label] += answer_changes_by_length(
                    part.records, part.length, settings.difficulties, settings.analysis.seed, cluster
                )
        state.run("answer_changes_by_difficulty", part.label, _changes_by_label, part.records, cluster)
        state.run("one_question", part.label, one_question, part.records)


def _repeats(records: pl.DataFrame, settings: AnalysisSettings) -> Json:
    """Return what k samples would do."""
    known = pl.any_horizontal(
        pl.col(name).is_not_null()
        for name in ("options", "tests", "outcome")
        if name in records.columns
    )
    return repeats(
        records.filter(known & ~_is_open(records)), settings.unparsed, settings.cluster
    ).to_json()


def _changes_by_label(records: pl.DataFrame, cluster: str | None) -> list[Json]:
    return answer_changes(records, difficulty_labels(records), cluster)


def _other_outcomes(
    state: _Study,
    parts: Sequence[_Part],
    settings: StudySettings,
    vectors: np.ndarray | None,
) -> None:
    """Run what is about unit tests and embeddings."""
    analysis = settings.analysis
    for part in parts:
        name, records, length = part.label, part.records, part.length
        has = {field for field in records.columns if records[field].null_count() < records.height}
        if "tests" not in has:
            state.leave_out("unit_tests", name, "no record has tests")
        else:
            with state.noting("unit_tests", name):
                tasks = unit_test_questions(records, analysis.cluster)
                state.run("unit_tests", name, overall, tasks, analysis)
                of = records.filter(pl.col("tests").is_not_null()).select(QUESTION).n_unique()
                if of > tasks.table.height:
                    few = f"{of - tasks.table.height} further tasks have fewer than two runs"
                    state.leave_out("unit_tests", name, few)
                for field in ("actions", "output_tokens", "reasoning_tokens"):
                    if field in has:
                        state.run(f"unit_tests_by_{field}", name, by_field, records, field, analysis,
                                  settings.groups)  # fmt: skip
                    else:
                        state.leave_out(f"unit_tests_by_{field}", name, f"no record has {field}")
                # Of agents the paper compares runs by their actions (Figure 3b).
                along = settings.length or ("actions" if "actions" in has else length)
                if along is None:
                    state.leave_out("unit_tests_overthinking", name, NO_LENGTH)
                else:
                    state.run("unit_tests_overthinking", name, natural_overthinking, records, along,
                              analysis, settings.permutations)  # fmt: skip
        if vectors is None:
            state.leave_out("open_answers", name, "no file has vectors beside it")
        elif length is None:
            state.leave_out("open_answers", name, NO_LENGTH)
        else:
            state.run("open_answers", name, by_field, records, length, analysis, settings.groups,
                      vectors)  # fmt: skip


def _shares(state: _Study, shares: pl.DataFrame, settings: StudySettings) -> None:
    """Run what is about outcomes between 0 and 1."""
    analysis = settings.analysis
    for one in series_of(shares, settings.by) if shares.height else []:
        with state.noting("shares", one.label):
            state.run("shares", one.label, overall, share_questions(one.records, analysis), analysis)
            length = _length(one.records, settings)
            if length is None:
                state.leave_out("shares_by", one.label, NO_LENGTH)
            else:
                state.run(f"shares_by_{length}", one.label, by_field, one.records, length, analysis,
                          settings.groups)  # fmt: skip
