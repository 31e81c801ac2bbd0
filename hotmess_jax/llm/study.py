"""Every analysis of a table of records that its fields allow, as one document."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl

from hotmess_jax.llm.analysis import (
    AnalysisSettings,
    Metric,
    Questions,
    answer_changes,
    by_budget,
    by_field,
    by_topic,
    difficulty_groups,
    efficiency,
    embedding_questions,
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
    unit_test_questions,
    with_wait_ratio,
)
from hotmess_jax.llm.analysis.questions import percentiles, to_json
from hotmess_jax.llm.analysis.samples import QUESTION
from kernels.decompositions import Decomposition
from kernels.resampling import paired_incoherence_difference

Json = dict[str, Any]
NO_LENGTH = "no record has a length: reasoning_tokens, actions, output_tokens or words"


@dataclass(frozen=True)
class StudySettings:
    """What a study of records is told."""

    metrics: Sequence[Metric]
    analysis: AnalysisSettings
    # None is the first of reasoning_tokens, actions, output_tokens and words that the records have.
    length: str | None = None
    groups: Sequence[int] = (10, 5, 20)
    difficulties: int = 3
    # Whose lengths decide difficulty; None is the largest model, or the first.
    reference: str | None = None
    parameters: Mapping[str, float] | None = None
    permutations: int = 1_000


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
    """Run every analysis that the records' fields allow.

    Args:
        records: from `read_records`; with `row`, each record's row in `vectors`, where there are any.
        settings: of the study.
        vectors: embeddings of open answers, NaN where there is none.
        say: called with what is being done.

    Returns:
        {"analyses": {name: {model: result}}, "missing": [{"analysis", "model", "why"}], …}; results are
        what the functions of `analysis` return.

    Raises:
        ValueError: for a model, or a numeric field of lengths, that no record has.
    """
    length = settings.length or length_field(records)
    if settings.length is not None and settings.length not in records.columns:
        raise ValueError(f"no record has a field {settings.length!r}")
    if length is not None and not records[length].dtype.is_numeric():
        raise ValueError(f"{length} cannot be a length: it holds {records[length].dtype}")
    models = records["model"].unique(maintain_order=True).to_list()
    named = [*filter(None, [settings.reference]), *(settings.parameters or {})]
    for name in named:
        if name not in models:
            raise ValueError(f"no record is of the model {name!r}")
    state = _Study(say)
    by_model = {str(key[0]): part for key, part in records.group_by("model", maintain_order=True)}
    choice = {name: part.filter(_is_choice(part)) for name, part in by_model.items()}
    choice = {name: part for name, part in choice.items() if part.height}
    for metric in settings.metrics:
        analysis = replace(settings.analysis, metric=metric)
        _choices(state, choice, replace(settings, analysis=analysis), length, metric)
    _answers(state, choice, settings, length)
    _other_outcomes(state, by_model, settings, length, vectors)
    return {
        "models": models,
        "questions": records.select(QUESTION).n_unique(),
        "samples": records.height,
        "length": length,
        "settings": to_json(
            {**_plain(settings.analysis),
             "metrics": list(settings.metrics), "groups": list(settings.groups),
             "permutations": settings.permutations, "parameters": dict(settings.parameters or {})}
        ),
        "analyses": state.found,
        "missing": state.missing,
    }  # fmt: skip


def _plain(settings: AnalysisSettings) -> Json:
    return {name: value for name, value in vars(settings).items() if name != "metric"}


def _is_choice(records: pl.DataFrame) -> pl.Expr:
    chosen = pl.col("options").is_not_null()
    return chosen & (pl.col("format") != "open") if "format" in records.columns else chosen


def _choices(
    state: _Study,
    choice: Mapping[str, pl.DataFrame],
    settings: StudySettings,
    length: str | None,
    metric: Metric,
) -> None:
    """Run what depends on the metric."""
    analysis = settings.analysis
    questions: dict[str, Questions] = {}
    for name, records in choice.items():
        with state.noting(f"overall_{metric}", name):
            questions[name] = questions_of(records, analysis)
    for name, of in questions.items():
        records = choice[name]
        state.run(f"overall_{metric}", name, overall, of, analysis)
        if length is None:
            for missing in ("by_length", "overthinking", "by_topic", "by_budget"):
                state.leave_out(f"{missing}_{metric}", name, NO_LENGTH)
        else:
            state.run(f"by_length_{metric}", name, by_field, of, length, analysis, settings.groups)
            state.run(
                f"overthinking_{metric}",
                name,
                natural_overthinking,
                records,
                length,
                analysis,
                settings.permutations,
            )
            state.run(f"by_topic_{metric}", name, by_topic, of, length, analysis)
            state.run(f"by_budget_{metric}", name, by_budget, records, length, analysis)
        if "reasoning" not in records.columns:
            state.leave_out(f"wait_ratio_{metric}", name, "no record has a reasoning")
        else:
            with state.noting(f"wait_ratio_{metric}", name):
                waits = questions_of(with_wait_ratio(records), analysis)
                state.run(
                    f"wait_ratio_{metric}",
                    name,
                    by_field,
                    waits,
                    "wait_ratio",
                    analysis,
                    settings.groups,
                )
        state.run(f"ensembles_{metric}", name, ensembling, records, analysis)
        state.run(f"efficiency_{metric}", name, efficiency, records, analysis)
        state.run(f"sensitivity_{metric}", name, sensitivity, records, analysis)
    for pair in combinations(questions, 2):
        state.run(f"differences_{metric}", " − ".join(pair), _difference, questions, pair, analysis)
    parameters = settings.parameters or {}
    if not parameters or length is None:
        why = NO_LENGTH if parameters else "--parameters gives no model's number of parameters"
        for missing in ("scaling", "surface"):
            state.leave_out(f"{missing}_{metric}", "all models", why)
    else:
        state.run(f"scaling_{metric}", "all models", _scaling, questions, length, settings)
        state.run(
            f"surface_{metric}", "all models", incoherence_surface,
            questions, parameters, length, analysis, settings.groups[0],
        )  # fmt: skip
    if length is not None and len(questions) > 1 and "length_correlation" not in state.found:
        state.run("length_correlation", "all models", length_correlation, questions, length)


def _scaling(questions: Mapping[str, Questions], length: str, settings: StudySettings) -> Json:
    """Return the scaling with size in groups of difficulty by the reference model's lengths."""
    parameters = settings.parameters or {}
    reference = settings.reference or max(questions, key=lambda name: parameters.get(name, 0))
    groups = difficulty_groups(questions[reference], length, settings.difficulties)
    found = scaling_by_difficulty(questions, parameters, groups, settings.analysis)
    return found | {"reference": reference}


def _difference(
    questions: Mapping[str, Questions], pair: tuple[str, str], settings: AnalysisSettings
) -> Json:
    """Return the difference of two models' incoherence on the questions that both have."""
    first, second = (
        questions[name].table.select(QUESTION).with_row_index(f"row{i}") for i, name in enumerate(pair)
    )
    shared = first.join(second, on=QUESTION, nulls_equal=True)
    if shared.height < 2:
        raise ValueError("the models share fewer than two questions")
    found: Json = {"models": list(pair), "questions": shared.height}
    for form in ("plugin", "corrected"):
        parts = [
            Decomposition(
                *map(jnp.asarray, questions[name].where(shared[f"row{i}"].to_numpy()).form(form))
            )
            for i, name in enumerate(pair)
        ]
        key = jax.random.key(settings.seed)
        drawn = paired_incoherence_difference(key, parts[0], parts[1], settings.resamples)
        ratios = [float(part.variance.sum() / (part.bias2 + part.variance).sum()) for part in parts]
        value = ratios[0] - ratios[1]
        found[form] = {"value": to_json(value), "ci95": to_json(percentiles(np.asarray(drawn)))}
    return found


def _answers(
    state: _Study, choice: Mapping[str, pl.DataFrame], settings: StudySettings, length: str | None
) -> None:
    """Run what looks at answers alone."""
    analysis = replace(settings.analysis, metric="brier")
    for name, records in choice.items():
        groups = None
        if length is not None:
            with contextlib.suppress(ValueError):
                groups = difficulty_groups(
                    questions_of(records, analysis), length, settings.difficulties
                )
        state.run("answer_changes", name, answer_changes, records, analysis, groups)
        state.run("format_failures", name, format_failures, records)
        state.run("one_question", name, one_question, records)


def _other_outcomes(
    state: _Study,
    by_model: Mapping[str, pl.DataFrame],
    settings: StudySettings,
    length: str | None,
    vectors: np.ndarray | None,
) -> None:
    """Run what is about unit tests and embeddings."""
    analysis = settings.analysis
    for name, records in by_model.items():
        has = {field for field in records.columns if records[field].null_count() < records.height}
        if "tests" not in has:
            state.leave_out("unit_tests", name, "no record has tests")
        else:
            with state.noting("unit_tests", name):
                tasks = unit_test_questions(records)
                state.run("unit_tests", name, overall, tasks, analysis)
                for field in ("actions", "output_tokens", "reasoning_tokens"):
                    if field in has:
                        state.run(f"unit_tests_by_{field}", name, by_field, tasks, field, analysis,
                                  settings.groups)  # fmt: skip
                    else:
                        state.leave_out(f"unit_tests_by_{field}", name, f"no record has {field}")
                if length is not None:
                    state.run("unit_tests_overthinking", name, natural_overthinking, records, length,
                              analysis, settings.permutations)  # fmt: skip
        if vectors is None:
            state.leave_out("open_answers", name, "no file has vectors beside it")
        elif length is None:
            state.leave_out("open_answers", name, NO_LENGTH)
        else:
            with state.noting("open_answers", name):
                answers = embedding_questions(records, vectors)
                state.run("open_answers", name, by_field, answers, length, analysis, settings.groups)
