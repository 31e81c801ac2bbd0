"""Whole clusters under every interval of a study: equal to plain ones where each question is its own, and no
interval that goes on as if questions were independent."""

import jax
import numpy as np
import polars as pl
import pytest
from made_records import two_answers, unit_tests

from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.report import report
from hotmess_jax.llm.study import StudySettings, study
from hotmess_jax.llm.study_document import from_document, to_document

SIZES = {"small": 1e8, "large": 1e9}
SOURCE = {"records": {"files": ["r.jsonl"], "where": []},
          "provenance": {"git_commit": "0", "versions": {"jax": "0", "python": "0"}}}  # fmt: skip
# A test by permutation within questions is of these questions, and draws of fewer samples are too.
OF_THESE_QUESTIONS = {"test", "efficiency"}


def choices(questions=40, samples=8):
    """Return records of two models with every field that an analysis of choices needs, in passages of five."""
    parts = []
    passage = np.repeat(np.arange(questions // 5), 5)
    own = np.random.default_rng(9).normal(0, 0.5, (questions, 1)) + 0.1 * passage[:, None]
    for i, model in enumerate(SIZES):
        random = np.random.default_rng(i)
        of_passage = random.uniform(0.2, 0.8, questions // 5)[passage]
        length = random.lognormal(4 + i + own, 0.3, (questions, samples)).round()
        part = two_answers(of_passage, length, samples, random, model)
        number = pl.col("sample")
        silent = (number == 1) & (pl.col("question_id").str.tail(1) == "3")
        parts.append(
            part.with_columns(
                answer=pl.when(silent).then(pl.lit("")).otherwise(pl.col("answer")),
                context=number % 2,
                budget=pl.when(number < 4).then(pl.lit("low")).otherwise(pl.lit("high")),
                topic=pl.lit("law"),
                difficulty=pl.lit("easy"),
                reasoning=pl.when((number % 2 == 0) & (pl.col("question_id") < "q0030"))
                .then(pl.lit("wait a moment"))
                .otherwise(pl.lit("wait, wait")),
            )
        )
    return pl.concat(parts).with_columns(
        passage=pl.col("question_id").str.tail(4).cast(pl.Int64) // 5, alone=pl.col("question_id")
    )


def others():
    """Return unit tests, and outcomes between 0 and 1."""
    random = np.random.default_rng(5)
    passes = np.repeat(random.uniform(0.2, 0.8, (8, 3)), 5, axis=0)
    tested = unit_tests(passes, 6, random, random.integers(1, 30, (40, 6)))[0]
    tested = tested.with_columns(outcome=pl.lit(None, pl.Float64), place=pl.col("question_id"))
    share = np.repeat(np.repeat(random.uniform(0, 0.6, 8), 5), 6) + random.uniform(0, 0.3, 240)
    shares = tested.with_columns(
        benchmark=pl.lit("graded"), tests=pl.lit(None, pl.String), outcome=pl.Series(share)
    )
    return pl.concat([tested, shares]).with_columns(
        passage=pl.col("place").str.tail(3).cast(pl.Int64) // 5, alone=pl.col("place")
    )


def of_study(records, cluster, vectors=None):
    analysis = AnalysisSettings(resamples=20, cluster=cluster)
    settings = StudySettings(
        ("brier",),
        analysis,
        groups=(3,),
        permutations=10,
        parameters=SIZES if set(SIZES) <= set(records["model"]) else None,
    )
    with jax.enable_x64(True):
        return to_document(study(records, settings, vectors))


def intervals(found, path=()):
    """Yield the path of each interval in a document, with its ends."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "ci95":
                yield path, np.asarray(value, np.float64)
            elif name not in OF_THESE_QUESTIONS:
                yield from intervals(value, (*path, name))
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield from intervals(value, (*path, i))


def values(found):
    """Return a document without how many clusters there are."""
    if isinstance(found, dict):
        return {name: values(value) for name, value in found.items() if name != "clusters"}
    return [values(value) for value in found] if isinstance(found, list) else found


@pytest.fixture(scope="module", params=["choices", "others"])
def studies(request):
    records = choices() if request.param == "choices" else others()
    return {cluster: of_study(records, cluster) for cluster in (None, "alone", "passage")}


def test_clusters_of_one_question_change_no_number(studies):
    plain, alone = (values(studies[cluster]["analyses"]) for cluster in (None, "alone"))
    assert plain.keys() >= {"repeats"} and plain == alone
    assert studies["alone"]["missing"] == studies[None]["missing"]


def test_no_interval_of_a_study_goes_on_as_if_questions_were_independent(studies):
    plain, whole = (dict(intervals(studies[c]["analyses"])) for c in (None, "passage"))
    assert plain.keys() == whole.keys() and len(plain) > 30
    analyses = {path[0] for path in plain}
    for path, ends in plain.items():
        if np.isfinite(ends).any() and np.ptp(ends[np.isfinite(ends)]) > 1e-9:
            assert not np.array_equal(ends, whole[path], equal_nan=True), path
    shown = {name.removesuffix("_brier") for name in analyses}
    if "overall_brier" in analyses:
        assert shown >= {
            "overall", "by_length", "overthinking", "by_topic", "by_difficulty", "by_budget",
            "wait_ratio", "ensembles", "sensitivity", "differences", "scaling", "surface",
            "length_correlation", "answer_changes", "answer_changes_by_difficulty", "format_failures",
            "repeats",
        }  # fmt: skip
    else:
        assert shown >= {"unit_tests", "unit_tests_by_actions", "unit_tests_overthinking", "shares"}


def test_clusters_are_counted_and_few_are_warned_of(studies):
    found = studies["passage"]
    numbers = [of["clusters"] for of in found["series"]]
    assert set(numbers) <= {8, 12} and found["settings"]["cluster"] == "passage"
    text = report(from_document(found | SOURCE), {})
    assert "clusters of questions with one passage" in text
    assert ("fewer than 10" in text) == (8 in numbers)
    assert "clusters" not in report(from_document(studies[None] | SOURCE), {})


def test_vectors_have_clusters_too():
    random = np.random.default_rng(0)
    records = choices(20, 4).filter(pl.col("model") == "small").with_columns(
        format=pl.lit("open"), row=pl.int_range(pl.len())
    )  # fmt: skip
    spread = random.uniform(0.5, 2, 4)[records["passage"].to_numpy()]
    vectors = random.normal(size=(records.height, 3)) * spread[:, None]
    plain, alone, whole = (of_study(records, c, vectors) for c in (None, "alone", "passage"))
    assert values(plain["analyses"]) == values(alone["analyses"])
    of_both = [dict(intervals(of["analyses"]["open_answers"])) for of in (plain, whole)]
    known = [path for path, ends in of_both[0].items() if np.isfinite(ends).all()]
    assert known
    for path in known:
        assert not np.array_equal(of_both[0][path], of_both[1][path])


def test_a_series_without_the_field_is_left_out_by_name():
    records = choices(20, 4).with_columns(
        passage=pl.when(pl.col("model") == "small").then(pl.col("passage"))
    )
    found = of_study(records.filter(pl.col("budget") == "low"), "passage")
    assert not any("large" in label for label in found["analyses"]["overall_brier"])
    why = {row["why"] for row in found["missing"] if row["model"].startswith("large")}
    assert "no record has a field 'passage' to cluster by" in why
    with pytest.raises(
        ValueError, match=r"no record has a field 'pasage' to cluster by \(did you mean"
    ):
        of_study(records, "pasage")
