"""Records of samples, their checks, and the analysis on the command line."""

import json
import re
import sys

import numpy as np
import polars as pl
import pytest
from places import REAL

from experiments import incoherence
from hotmess_jax.llm.measures.decomposing import METRICS
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.llm.records import RecordErrors, read_records

MCQ = REAL / "repeated_mcq"


def record(question=0, sample=0, answer="A", **more):
    base = {"model": "m", "question_id": f"q{question}", "sample": sample, "target": "A"}
    return base | {"options": ["A", "B", "C"], "answer": answer} | more


def write(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def problems(path):
    with pytest.raises(RecordErrors) as caught:
        read_records([path])
    return caught.value.problems


def test_records_become_rows_and_unknown_fields_are_kept(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        [
            record(0, 0, mood="calm", nested={"a": [1]}),
            record(0, 1, "", temperature=0.5),
            record(0, 1, "", temperature=0.5),  # the same again: once
            {**record(1, 0), "answer": None, "probs": {"A": 0.5, "B": 0.499}},
            record(1, 1, question_id=1),
        ],
    )
    table = read_records([path])
    assert table.height == 4
    assert table["mood"].to_list() == ["calm", None, None, None]
    assert json.loads(table["nested"][0]) == {"a": [1]}
    assert table["question_id"].to_list()[-1] == "1"
    probs = json.loads(table["probs"][2])
    np.testing.assert_allclose(sum(probs.values()), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([record(target="Z")], "target 'Z' is not among"),
        ([record(answer="Z")], "answer 'Z' is not among"),
        ([{k: v for k, v in record().items() if k != "model"}], "model: Field required"),
        ([{k: v for k, v in record().items() if k != "answer"}], "one of answer and probs"),
        ([record(sample="x")], "sample: .*got 'x'"),
        ([record(probs={"A": -0.5, "B": 1.5})], "numbers from 0 on.*-0.5"),
        ([record(probs={"A": float("nan"), "B": 1})], "numbers from 0 on.*nan"),
        ([record(probs={"A": 0.5, "B": 0.4})], "sum to 1 within 1 %, got 0.9"),
        ([record(probs={"Z": 1.0})], "names what is not among"),
        ([record(0, 0, "A"), record(0, 0, "B")], "answer 'B' and 'A'"),
        ([record(0, 0), record(0, 1, options=["A", "B"])], "'q0' has options"),
        ([record(0, 0), record(0, 1, target="B")], "target 'B'"),
        ([record(options=["A", "A"])], "must be labels that differ"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path, bad, said):
    path = write(tmp_path / "bad.jsonl", bad)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:{len(bad)}: ")
    assert re.search(said, problem)


def test_many_problems_are_told_in_one_run_and_counted(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "bad.jsonl", [record(i, target="Z") for i in range(25)])
    path.write_text(path.read_text() + "{not json\n")
    assert len(problems(path)) == 26
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["incoherence", str(path), "--json", str(out)])
    with pytest.raises(SystemExit) as stop:
        incoherence.main()
    lines = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and len(lines) == 21
    assert f"{path}:20" in lines[19] and lines[20] == "error: and 6 more"
    assert not out.exists()


def test_a_missing_or_empty_file_is_named(tmp_path):
    assert "nothing.jsonl: cannot be read" in problems(tmp_path / "nothing.jsonl")[0]
    assert "no records in" in problems(write(tmp_path / "empty.jsonl", []))[0]


def by_hand(answers, targets, classes, policy):
    """Brier bias² and variance over questions by loops, answers a list a question."""
    bias2, variance = [], []
    for given, target in zip(answers, targets, strict=True):
        width = classes + (policy == "wrong")
        rows = []
        for answer in given:
            if answer is not None:
                rows.append(np.eye(width)[answer])
            elif policy == "uniform":
                rows.append(np.full(width, 1 / width))
            elif policy == "wrong":
                rows.append(np.eye(width)[classes])
        if len(rows) < 2:
            continue
        mean = np.mean(rows, axis=0)
        bias2.append(((np.eye(width)[target] - mean) ** 2).sum())
        variance.append(np.mean([((row - mean) ** 2).sum() for row in rows]))
    return np.mean(bias2), np.mean(variance)


@pytest.mark.parametrize("policy", ["uniform", "drop", "wrong"])
def test_each_policy_for_unparsed_answers_agrees_with_loops(tmp_path, policy):
    rng = np.random.default_rng(0)
    answers = [
        [None if rng.random() < 0.3 else int(rng.integers(3)) for _ in range(4)] for _ in range(30)
    ]
    answers.append([0, None])  # one parsed sample: left out where blanks are dropped
    targets = rng.integers(0, 3, 31)
    rows = [
        record(q, s, "" if a is None else "ABC"[a], target="ABC"[targets[q]])
        for q, given in enumerate(answers)
        for s, a in enumerate(given)
    ]
    (group,) = summarise(
        read_records([write(tmp_path / "r.jsonl", rows)]), unparsed=policy, resamples=50
    )
    found = group.metrics["brier"].plugin
    np.testing.assert_allclose(
        [found.bias2.value, found.variance.value], by_hand(answers, targets, 3, policy), rtol=1e-9
    )
    blanks = sum(a is None for given in answers for a in given)
    np.testing.assert_allclose(group.unparsed, blanks / len(rows))
    # Accuracy is of the samples and the questions that the errors are of.
    counted = [[a for a in g if a is not None or policy != "drop"] for g in answers]
    right = [np.mean([a == t for a in g]) for g, t in zip(counted, targets, strict=True) if len(g) >= 2]
    np.testing.assert_allclose(group.accuracy, np.mean(right))
    assert group.questions == 31 and group.samples == len(rows)
    assert (group.left_out > 0) == (policy == "drop")


def test_questions_with_other_numbers_of_options_are_analysed_together(tmp_path):
    three = [record(0, s, "AB"[s % 2]) for s in range(4)]
    five = [record(1, s, "AE"[s % 2], options=list("ABCDE")) for s in range(4)]
    groups = [
        summarise(read_records([write(tmp_path / "r.jsonl", rows)]), resamples=20)[0]
        .metrics["kl"]
        .plugin
        for rows in (three, five, three + five)
    ]
    for part in ("error", "bias2", "variance"):
        values = [getattr(of, part).value for of in groups]
        np.testing.assert_allclose(values[2], (values[0] + values[1]) / 2, rtol=1e-9)


def test_the_command_prints_tables_json_and_figures(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(1)
    rows = [
        record(q, s, "ABC"[rng.integers(3)], temperature=t, topic="easy" if q % 2 else "hard")
        for t in (0.0, 1.0)
        for q in range(12)
        for s in range(3)
    ]
    path = write(tmp_path / "r.jsonl", rows)
    arguments = ["incoherence", str(path), "--by", "temperature", "topic", "--resamples", "50"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--figures", str(tmp_path / "figures")])
    incoherence.main()
    printed = capsys.readouterr().out
    assert "neither misalignment nor quality" in " ".join(printed.split())
    assert len(re.findall(r"^ *corrected ", printed, re.MULTILINE)) == 4  # groups, of brier alone
    assert "fewer than 8 independent samples" in " ".join(printed.split())
    expected = {f"{name}.{kind}" for name in (*METRICS, "repeats") for kind in ("png", "pdf")}
    assert {p.name for p in (tmp_path / "figures").iterdir()} == expected
    monkeypatch.setattr(sys, "argv", [*arguments, "--json", "-"])
    incoherence.main()
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert [g["by"] for g in groups] == [
        {"temperature": t, "topic": k} for t in (0.0, 1.0) for k in ("easy", "hard")]  # fmt: skip
    for group in groups:
        for metric, found in group["metrics"].items():
            assert set(found) >= {"error", "bias2", "variance", "ci95", "corrected"}
            assert ("incoherence" in found) == (metric != "zero_one")
            low, high = found["ci95"]["variance"]
            assert low <= found["variance"] <= high
    monkeypatch.setattr(sys, "argv", [*arguments[:3], "colour"])
    with pytest.raises(SystemExit, match="2"):
        incoherence.main()
    assert "no record has a field 'colour'" in capsys.readouterr().err


def real(model):
    """Real records, with the options that the file leaves out."""
    table = pl.read_ndjson(MCQ / f"{model}.jsonl").to_dicts()
    for row in table:
        five = any(name in row["source"] for name in ("aqua-rat", "lsat"))
        row["options"] = list("ABCDE" if five else "ABCD")
        if row["answer"] not in row["options"]:
            row["answer"] = ""
    return table


@pytest.mark.skipif(not MCQ.exists(), reason="the real samples are not here")
@pytest.mark.parametrize("model", ["gpt-4", "gpt-35-turbo"])
def test_on_real_samples_the_corrected_form_does_not_depend_on_their_number(tmp_path, model):
    rows = [row for row in real(model) if row["temperature"] == 1.0]
    plugin, corrected, intervals = [], [], []
    for count in (3, 5, 10):
        few = [row for row in rows if row["sample"] < count]
        (group,) = summarise(
            read_records([write(tmp_path / "r.jsonl", few)]), metrics=["brier"], resamples=500
        )
        found = group.metrics["brier"]
        plugin.append(found.plugin.incoherence.value)
        corrected.append(found.corrected.incoherence.value)
        intervals.append(found.corrected.incoherence.ci95)
    assert plugin[0] < plugin[1] < plugin[2]
    low, high = intervals[-1]
    assert all(low <= value <= high for value in corrected)
    assert max(corrected) - min(corrected) < (plugin[2] - plugin[0]) / 2
