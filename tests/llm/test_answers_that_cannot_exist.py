"""What cannot be measured is refused by name, and one question with few samples takes nothing from the others."""

import json
from dataclasses import replace

import commands
import jax
import numpy as np
import polars as pl
import pytest
from made_records import any_answers, table, two_answers

from experiments import incoherence
from hotmess_jax.llm.analyses.by_budget import by_budget
from hotmess_jax.llm.analyses.efficiency import efficiency
from hotmess_jax.llm.analyses.ensembles import ensembling
from hotmess_jax.llm.measures.changes import answer_changes
from hotmess_jax.llm.measures.groups import by_field
from hotmess_jax.llm.measures.halves import natural_overthinking
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.statistics.estimate import Estimate, Interval

BRIER = AnalysisSettings(resamples=20)
UNREADABLE = "none of 24 answers could be read"


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def unreadable(**columns):
    return any_answers(
        np.eye(5)[[4] * 3], 8, np.random.default_rng(0), output_tokens=np.arange(24), **columns
    )


@pytest.mark.parametrize("unparsed", ["uniform", "drop", "wrong"])
def test_answers_of_which_none_could_be_read_have_no_variance(unparsed):
    settings = AnalysisSettings(unparsed=unparsed, resamples=20)
    records = unreadable()
    for analysis in (
        lambda: questions_of(records, settings),
        lambda: ensembling(records, settings),
        lambda: efficiency(records, settings),
        lambda: natural_overthinking(records, "output_tokens", settings),
        lambda: answer_changes(records),
    ):
        with pytest.raises(ValueError, match=UNREADABLE):
            analysis()
    (group,) = summarise(records, metrics=("brier",), unparsed=unparsed)
    assert group.metrics["brier"] is None and UNREADABLE in group.why_none
    assert group.unparsed == 1 and group.samples == 24


def test_a_budget_of_which_no_answer_could_be_read_takes_nothing_from_the_others():
    random = np.random.default_rng(0)
    good = any_answers(np.full((3, 5), 0.2), 8, random, output_tokens=np.arange(24))
    records = pl.concat(
        [good.with_columns(budget=pl.lit("low")), unreadable().with_columns(budget=pl.lit("high"))]
    )
    rows = {row.budget: row for row in by_budget(records, "output_tokens", BRIER)}
    assert UNREADABLE in rows["high"].missing and rows["high"].samples == 24
    assert not hasattr(rows["high"], "plugin") and rows["low"].plugin.incoherence.value > 0


def test_a_budget_that_is_not_kept_is_said():
    records = table(
        question_id=["a", "a", "b", "b"] * 2,
        sample=[0, 1] * 4,
        answer=["A", "B"] * 4,
        budget=["100"] * 4 + ["low"] * 4,
        reasoning_tokens=pl.Series([50, 150, 700, None, None, None, None, 0], dtype=pl.Int64),
        output_tokens=np.arange(8),
        reasoning=[None, None, None, "hm"] * 2,
    )
    rows = {row.budget: row for row in by_budget(records, "output_tokens", BRIER)}
    assert rows["100"].over_budget == pytest.approx(2 / 3) and rows["100"].unreasoned == 0
    assert rows["100"].reasoning_tokens == 300
    assert rows["low"].over_budget is None and rows["low"].unreasoned == 0.75


@pytest.mark.parametrize("kind", ["open", "unparsed"])
def test_the_command_refuses_them_by_name(kind, tmp_path, monkeypatch, capsys):
    # As llm_sample writes open answers: with options, and "" for the choice that nobody asked for.
    rows = [
        {"model": "m", "question_id": str(i // 4), "sample": i % 4, "options": ["A", "B"], "target": "A",
         "answer": "", "open_answer": "yes", "format": "open" if kind == "open" else "choice"}
        for i in range(12)
    ]  # fmt: skip
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, said, error = commands.outcome(incoherence, monkeypatch, capsys, path, "--metric", "brier")
    if kind == "open":
        assert code == 2 and "all 12 records are open answers" in error
    else:
        assert code == 0 and "none of 12 answers could be read" in said.replace("\n", " ")
        assert "[0, 0]" not in said


def test_a_difference_of_embeddings_has_a_variance_and_nothing_else():
    random = np.random.default_rng(0)
    records = any_answers(np.full((6, 4), 0.25), 6, random, row=np.arange(36),
                          output_tokens=np.repeat(np.arange(6), 6) + np.arange(36) % 3)  # fmt: skip
    vectors = random.normal(size=(36, 3))
    along = by_field(records, "output_tokens", BRIER, (3,), vectors)
    for form in ("plugin", "corrected"):
        halves = getattr(along, form).halves
        (slopes,) = getattr(along, form).slopes.values()
        assert halves.variance.value is not None and None not in halves.variance.ci95
        for name in ("error", "bias2", "incoherence", "accuracy"):
            assert getattr(halves, name) == Estimate(None, Interval(None, None))
            if name != "accuracy":
                assert getattr(slopes, name).value is None and getattr(slopes, name).r2 is None


def one_of_thirty(few):
    """Thirty questions of eight samples, of which one has but a few."""
    random = np.random.default_rng(1)
    length = random.lognormal(4, 0.5, (30, 8)).round()
    records = two_answers(random.uniform(0.2, 0.8, 30), length, 8, random)
    return records.filter((pl.col("question_id") != "q0000") | (pl.col("sample") < few)), records


def test_one_question_with_few_samples_is_counted_and_takes_nothing_from_the_others():
    short, whole = one_of_thirty(3)
    others = whole.filter(pl.col("question_id") != "q0000")
    found, alone = ensembling(short, BRIER), ensembling(others, BRIER)
    assert replace(found, fewer_samples=0) == alone and found.fewer_samples == 1
    found, alone = efficiency(short, BRIER), efficiency(others, BRIER)
    assert replace(found, fewer_samples=0) == alone and found.fewer_samples == 1
    found = natural_overthinking(short, "output_tokens", BRIER, permutations=20)
    assert (found.questions, found.left_out) == (29, 1)
    along = by_field(short, "output_tokens", BRIER, (3,))
    assert (along.questions, along.without_field, along.too_few) == (29, 0, 1)
    single, _ = one_of_thirty(1)
    (found,) = answer_changes(single)
    (alone,) = answer_changes(others)
    assert replace(found, fewer_samples=0) == alone and found.fewer_samples == 1


def test_kinds_of_change_are_of_the_questions_that_can_change_so():
    answers = {"q0": "AABB", "q1": "AA", "q2": "AB", "q3": "A"}
    context = {"q0": [0, 0, 1, 1], "q1": [0, 0], "q2": [0, 1], "q3": [0]}
    records = table(
        question_id=[q for q, given in answers.items() for _ in given],
        context=[c for q in answers for c in context[q]],
        sample=[0, 1, 0, 1, 0, 1, 0, 0, 0],
        answer=[a for given in answers.values() for a in given],
    )
    (found,) = answer_changes(records)
    assert (found.questions, found.fewer_samples) == (3, 1)
    shares = [found.of(k).value for k in ("resampling", "context", "both")]
    # Within a context q0 and q1 could, and did not; between contexts q0 and q2 could, and did.
    assert shares == [0, 1, pytest.approx(2 / 3)]
    with pytest.raises(ValueError, match="no question has two answers, of 1"):
        answer_changes(records.filter(pl.col("question_id") == "q3"))


def test_along_a_constant_nothing_is_longer():
    random = np.random.default_rng(0)
    records = two_answers([0.5] * 6, np.full((6, 4), 7.0), 4, random)
    for analysis in (by_field, natural_overthinking):
        with pytest.raises(ValueError, match="is the same of all"):
            analysis(records, "output_tokens", BRIER)
