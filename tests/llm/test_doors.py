"""The library's doors: what each takes, what it refuses and how it says so, and that they all agree."""

import json
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import polars as pl
import pytest
from made_records import two_answers

from experiments import incoherence
from hotmess_jax.documents import to_json
from hotmess_jax.llm.analyses.efficiency import efficiency
from hotmess_jax.llm.analyses.ensembles import ensembling
from hotmess_jax.llm.analyses.format_failures import format_failures
from hotmess_jax.llm.analyses.one_question import one_question
from hotmess_jax.llm.analyses.sensitivity import sensitivity
from hotmess_jax.llm.measures.changes import answer_changes
from hotmess_jax.llm.measures.groups import by_label
from hotmess_jax.llm.measures.halves import natural_overthinking
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.llm.records import RecordErrors, checked, read_records

FEW = AnalysisSettings("brier", resamples=20)


def records(questions=12, samples=4, seed=0):
    random = np.random.default_rng(seed)
    length = random.lognormal(3, 1, (questions, samples))
    made = two_answers(random.uniform(0.1, 0.9, questions), length, samples, random)
    return made.with_columns(
        question_id=pl.col("question_id").str.slice(1).cast(pl.Int64).cast(pl.String)
    )


def numbers_of(table):
    """What every door that takes a table says of it."""
    found = [
        summarise(table, resamples=20),
        natural_overthinking(table, "output_tokens", FEW, 20),
        ensembling(table, FEW, draws=2),
        efficiency(table, FEW, 3),
        sensitivity(table, FEW),
        answer_changes(table),
        format_failures(table),
        one_question(table),
        by_label(questions_of(table.with_columns(topic=pl.lit("law")), FEW), "output_tokens", FEW),
    ]
    return json.dumps(to_json(Any, found))


def test_one_result_whatever_the_order_of_rows_the_type_of_ids_and_the_caller_s_precision():
    table = records()
    expected = numbers_of(table)
    shuffled = table.sample(fraction=1, shuffle=True, seed=1)
    assert numbers_of(shuffled.with_columns(pl.col("question_id").cast(pl.Int64))) == expected
    assert numbers_of(pl.concat([shuffled, table])) == expected  # a cell that was run again
    with jax.enable_x64(True):
        assert numbers_of(table) == expected


def test_command_and_library_agree(tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.jsonl"
    rows = records(6).drop("output_tokens", "benchmark", "context", "probs").to_dicts()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.json"
    monkeypatch.setattr(
        sys, "argv", ["incoherence", str(path), "--json", str(out), "--resamples", "20"]
    )
    incoherence.main()
    capsys.readouterr()
    bare = pl.DataFrame(rows[::-1]).with_columns(pl.col("question_id").cast(pl.Int64))
    assert json.loads(out.read_text())["groups"] == [
        of.to_json() for of in summarise(bare, resamples=20)
    ]
    assert summarise(read_records(str(path)), resamples=20) == summarise(bare, resamples=20)


def changed(**columns):
    return records(2, 2).with_columns(**columns)


REFUSED = [
    (
        records(1).select("answer"),
        "records lack the columns model, question_id, sample, target, options (optional are ",
    ),
    (records(1).drop("answer", "probs"), "records lack the columns answer or probs (optional are "),
    (
        changed(answer=pl.when(pl.int_range(pl.len()) == 2).then(pl.lit("Z")).otherwise("answer")),
        "row 2 (question '1'): answer 'Z' is not among the options",
    ),
    (
        changed(probs=pl.lit('{"A": 0.5, "B": 0.4}')),
        "row 0 (question '0'): probs: probabilities must sum",
    ),
    (changed(probs=pl.lit('{"Z": 1.0}')), "row 0 (question '0'): probs"),
    (changed(target=pl.lit("Q")), "row 0 (question '0'): target 'Q' is not among the options"),
    (
        changed(target=pl.when(pl.col("sample") == 1).then(pl.lit("B")).otherwise("target")),
        "row 1 (question '0'): question '0' has options",
    ),
    (
        changed(sample=pl.lit(0), text=pl.int_range(pl.len())),
        "row 1 (question '0'): differs from row 0 (question '0'), which is the same sample",
    ),
    (changed(sample=pl.lit(0.5)), "sample must be whole numbers, got a column of Float64"),
    (changed(model=pl.lit(None, pl.String)), "row 0 has no model"),
    (records(1).clear(), "there are no records"),
]
DOORS = [
    lambda table: summarise(table, resamples=20),
    lambda table: questions_of(table, FEW),
    lambda table: natural_overthinking(table, "output_tokens", FEW, 10),
    lambda table: answer_changes(table),
    format_failures,
    one_question,
]


@pytest.mark.parametrize(("table", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_files_are_refused_for_every_door_refuses(table, said):
    for door in DOORS:
        with pytest.raises(RecordErrors) as caught:
            door(table)
        assert str(caught.value).startswith(said)


def test_two_models_or_settings_are_no_one():
    one = records(3, 4)
    two = pl.concat([one, one.with_columns(model=pl.lit("n"))])
    hot = pl.concat([one.with_columns(temperature=pl.lit(t)) for t in (0.0, 1.0)])
    for door in (*DOORS[1:4], one_question):
        with pytest.raises(ValueError, match="records are of 2 models, 'm' and 'n'"):
            door(two)
        with pytest.raises(ValueError, match=r"several settings, temperature 0\.0 and 1\.0"):
            door(hot)
    assert [group.model for group in summarise(two, resamples=20)] == ["m", "n"]


def test_a_field_that_tells_samples_apart_is_grouped_by():
    one = records(3, 4)
    two = pl.concat([one.with_columns(hint=pl.lit(hint)) for hint in ("none", "wrong")])
    assert len(summarise(two, ["hint"], resamples=20)) == 2
    with pytest.raises(RecordErrors, match="hint 'wrong' and 'none'"):
        summarise(two, resamples=20)


def test_probabilities_may_be_structs_and_are_brought_to_1():
    rows = [{"model": "m", "question_id": 7, "sample": i, "target": "A", "options": ["A", "B"],
             "probs": probs} for i, probs in enumerate([{"A": 0.5, "B": 0.499}, {"B": 1.0}])]  # fmt: skip
    table, place = checked(pl.DataFrame(rows[::-1]))
    assert place.tolist() == [1, 0] and table["question_id"].to_list() == ["7", "7"]
    probs = [json.loads(text) for text in table["probs"]]
    assert sum(probs[0].values()) == pytest.approx(1, abs=1e-12) and probs[1] == {"B": 1.0}


MISSPELT = [
    ('summarise(R, metrics=["briar"])', "metrics must be one of .* (did you mean 'brier'?)"),
    ('summarise(R, metrics="kl")', "metrics must be a sequence of names, got the text 'kl': ('kl',)"),
    ('summarise(R, unparsed="dropp")', "unparsed must be one of .* (did you mean 'drop'?)"),
    ('summarise(R, by=["modle"])', "no record has a field 'modle' to group by (did you mean 'model'?)"),
    ('summarise(R, by="topic")', "by must be a sequence of fields, got the text 'topic': ('topic',)"),
    ('to_samples(R, "uniforn")', "unparsed must be one of .* (did you mean 'uniform'?)"),
    ('AnalysisSettings("breir")', "metric must be one of .* (did you mean 'brier'?)"),
    ('AnalysisSettings(smoothing=2.0)', "smoothing must be between 0 and 1, got 2.0"),
    ('questions_of(R, B).form("pluging")', "form must be one of .* (did you mean 'plugin'?)"),
    ('natural_overthinking(R, "wrods", B)', "no record has a field 'wrods' (did you mean 'words'?)"),
    ('natural_overthinking(R, "answer", B)', "answer cannot be a length: it holds String"),
    ('StudySettings(("brier", "lk"), B)', "metrics must be one of .* (did you mean 'kl'?)"),
    ('study(R, StudySettings(("kl",), B, reference="mm"))',
     "no record is of the model 'mm' (did you mean 'm'?)"),
    ('load("gpqa", "x", subset="diamnod")', "subset must be one of .* (did you mean 'diamond'?)"),
    ('load("mwe", "x", target="alinged")', "target must be one of .* (did you mean 'aligned'?)"),
    ('load("mmul", "x")', "benchmark must be one of .* (did you mean 'mmlu'?)"),
    ('SamplingSettings("mmlu", "x", "m", format="choise")', "format must be one of .* (did you mean 'choice'?)"),
    ('SamplingSettings("mmlu", "x", "m", sampling="gema3")', "sampling must be one of .* (did you mean 'gemma3'?)"),
    ('prompt_text("tagd")', "prompt must be one of .* (did you mean 'tagged'?)"),
    ('embed_records("x", None, None, "leave_out")', "too_long must be one of .* (did you mean 'leave-out'?)"),
    ('nested(np.ones((2, 2, 2, 2)), "briar")', "metric must be one of .* (did you mean 'brier'?)"),
    ('groups_figure.by_field({}, metric="brir")', "metric must be one of .* (did you mean 'brier'?)"),
    ('questions_of(R.lazy(), B)', "records must be a polars DataFrame, got .*LazyFrame: records.collect() .*"),
    ('questions_of(R.to_dicts(), B)', "records must be a polars DataFrame, got .*list: polars.DataFrame(.*"),
    ('summarise("r.jsonl")', "records must be a polars DataFrame, got .*str: read_records(records) .*"),
    ('read_records("none.jsonl")', "none.jsonl: cannot be read: .*"),
]  # fmt: skip
SCRIPT = """
import json
import numpy as np
import polars as pl
from hotmess_jax.llm.cases import StudySettings
from hotmess_jax.llm.measures import groups_figure
from hotmess_jax.llm.measures.halves import natural_overthinking
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.samples import to_samples
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.llm.records import read_records
from hotmess_jax.llm.sampling.asks import SamplingSettings
from hotmess_jax.llm.sampling.benchmarks import load
from hotmess_jax.llm.sampling.embeddings import embed_records
from hotmess_jax.llm.sampling.prompts import prompt_text
from hotmess_jax.llm.study import study
from kernels.estimators import nested
B = AnalysisSettings("brier", resamples=20)
R = pl.DataFrame({"model": "m", "question_id": [1, 1, 2, 2], "sample": [0, 1, 0, 1], "target": "A",
                  "options": [["A", "B"]] * 4, "answer": list("ABAA"), "words": [1, 2, 3, 4]})
def message(call):
    try:
        return f"taken: {eval(call)}"
    except (ValueError, TypeError) as error:
        return str(error)
print(json.dumps([message(call) for call in CALLS]))
"""


def test_names_and_tables_are_checked_where_no_test_checks_types():
    script = SCRIPT.replace("CALLS", repr([call for call, _ in MISSPELT]))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for (call, said), message in zip(MISSPELT, json.loads(found.stdout), strict=True):
        before, *more = said.split(".*")
        assert message.startswith(before) and message.endswith(more[-1] if more else before), (
            call,
            message,
        )


def test_topics_of_few_questions_are_taken_together_and_named():
    table = records(24, 4).with_columns(
        topic=pl.col("question_id")
        .cast(pl.Int64)
        .map_elements(
            lambda i: "law" if i < 12 else "art" if i < 21 else f"t{i}", return_dtype=pl.String
        )
    )
    rows = by_label(questions_of(table, FEW), "output_tokens", FEW)
    named = {row.topic: row for row in rows}
    together = "4 others (fewer than 10 questions each: art, t21, t22, t23)"
    assert {name: row.questions for name, row in named.items()} == {"law": 12, together: 12}
    assert None not in named[together].corrected.incoherence.ci95
    few = by_label(questions_of(table.filter(pl.col("topic") != "art"), FEW), "output_tokens", FEW)
    assert {row.topic for row in few} == {
        "law",
        "3 others (fewer than 10 questions each: t21, t22, t23)",
    }
