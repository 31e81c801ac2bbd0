"""Tables of anybody's own making, as records."""

import functools
import gzip
import json
from dataclasses import replace
from typing import get_args

import commands
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import llm_import
from hotmess_jax.llm.importers import MAPS, TableMap, import_table
from hotmess_jax.llm.importers.commands import Table
from hotmess_jax.llm.importers.table_answers import Options, options_of, place_of
from hotmess_jax.llm.importers.table_files import reach, read_table
from hotmess_jax.llm.records import read_records

run = functools.partial(commands.outcome, llm_import)
LETTERS = ("A", "B", "C", "D")


def row(doc, pred, gold, seed, correct, tokens):
    return {"doc_id": doc, "pred": pred, "gold": gold, "seed": seed, "correct": correct, "hint": "none",
            "usage": {"output_tokens": tokens}}  # fmt: skip


ROWS = [
    row(7, "B", "B", 0, True, 11),
    row(7, "(c)", "B", 1, False, 12),
    row(8, "I cannot", "D", 0, False, 13),
    row(8, None, "D", 1, False, 14),
]
MAP = TableMap(
    columns={"question_id": "doc_id", "answer": "pred", "target": "gold", "sample": "seed",
             "output_tokens": "usage.output_tokens", "hint": "hint"},
    constants={"model": "m", "temperature": "0.5"},
    options=LETTERS,
    score="correct",
)  # fmt: skip


def lines(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def flat(rows):
    """Return the rows as a text file can hold them: an object is its JSON."""
    return pl.DataFrame(
        [
            {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}
            for row in rows
        ]
    )


def written(tmp_path, rows, ending):
    path = tmp_path / f"t{ending}"
    if ending == ".jsonl":
        return lines(path, rows)
    if ending == ".json":
        path.write_text(json.dumps(rows))
    elif ending == ".jsonl.gz":
        path.write_bytes(gzip.compress(lines(tmp_path / "plain.jsonl", rows).read_bytes()))
    elif ending == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        flat(rows).write_csv(path, separator="," if ending == ".csv" else "\t")
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".jsonl.gz", ".parquet"])
def test_every_kind_of_file_gives_the_same_records(tmp_path, ending):
    imported = import_table([written(tmp_path, ROWS, ending)], MAP)
    assert not imported.unread and not imported.parted
    assert [(r["question_id"], r["sample"], r["answer"], r["target"]) for r in imported.records] == [
        ("7", 0, "B", "B"), ("7", 1, "C", "B"), ("8", 0, "", "D"), ("8", 1, "", "D")
    ]  # fmt: skip
    assert [r["output_tokens"] for r in imported.records] == [11, 12, 13, 14]
    assert {(r["model"], r["temperature"], r["hint"]) for r in imported.records} == {("m", 0.5, "none")}
    assert imported.notes == {
        "answers that are no option, taken as unparsed (such as 'I cannot')": 1,
        "answers that are empty, taken as unparsed": 1,
    }
    (compared,) = imported.compared
    assert (compared.figure, compared.log, compared.read) == ("accuracy by correct", 0.25, 0.25)
    assert read_records([lines(tmp_path / "records.jsonl", imported.records)]).height == 4


def mapped(options=LETTERS, **columns):
    return TableMap(columns={"question_id": "q", **columns}, constants={"model": "m"}, options=options)


def answered(answers, targets):
    """Return rows of one question each, and their map."""
    rows = [{"q": i, "a": a, "t": t} for i, (a, t) in enumerate(zip(answers, targets, strict=True))]
    return rows, mapped(answer="a", target="t")


@pytest.mark.parametrize(
    ("answers", "targets", "expected", "said"),
    [
        (["B", "b.", "(D)", "E"], ["B", "C", "D", "A"], "B B|B C|D D| A", None),
        ([1, "2", 3.0, "x"], [0, 1, 3, 2], "B A|C B|D D| C", "numbers from 0"),
        (["1", "4"], ["4", "1"], "A D|D A", "numbers from 1"),
        ([0, 2, 1], ["A", "C", "D"], "A A|C C|B D", "answers are numbers from 0"),
        ([4, 2, 1], ["A", "C", "D"], "D A|B C|A D", "answers are numbers from 1"),
        (["C", "A"], [0, 2], "C A|A C", "numbers from 0"),
        (["B", 1, 0, "D"], ["B", "C", "A", "D"], "B B|B C|A A|D D", "answers are numbers from 0"),
        (["B", 7, "C"], ["B", "C", "A"], "B B| C|C A", "no option, taken as unparsed (such as '7')"),
        (["a", "B"], [1, 0], "A B|B A", "numbers from 0"),
    ],
)
def test_letters_and_numbers(tmp_path, answers, targets, expected, said):
    rows, given_map = answered(answers, targets)
    imported = import_table([lines(tmp_path / "t.jsonl", rows)], given_map)
    assert "|".join(f"{r['answer']} {r['target']}" for r in imported.records) == expected
    assert said is None or any(said in note for note in imported.notes)


def test_what_can_be_read_in_two_ways_is_asked_for(tmp_path):
    rows, given_map = answered([1, 2], [1, 2])
    path = lines(tmp_path / "t.jsonl", rows)
    with pytest.raises(
        ValueError, match=r"targets \(1, 2\) can be numbers-from-0 or numbers-from-1: --targets"
    ):
        import_table([path], given_map)
    told = import_table([path], TableMap(targets="numbers-from-1").over(given_map)).records
    assert [(r["answer"], r["target"]) for r in told] == [("A", "A"), ("B", "B")]
    rows, given_map = answered([1, 2], ["A", "B"])
    with pytest.raises(ValueError, match="do not show where they start"):
        import_table([lines(path, rows)], given_map)
    rows, given_map = answered(["A", "B"], ["A", 1])
    with pytest.raises(ValueError, match="targets are of several kinds"):
        import_table([lines(path, rows)], given_map)


def test_texts_in_another_order_from_row_to_row(tmp_path):
    first, second = ["Rome", "Paris", "Oslo"], ["Oslo", "Rome", "Paris"]
    rows = [
        {"q": "x", "a": "Paris", "t": "Paris", "o": first},
        {"q": "x", "a": " oslo ", "t": "Paris", "o": second},
        {"q": "x", "a": "Lima", "t": "Paris", "o": second},
        {"q": "x", "a": "Rome", "t": "Rome", "o": second},
        {"q": "x", "a": "Rome", "t": "Rome", "o": ["Rome", "Bern"]},
    ]
    given_map = mapped(("o",), answer="a", target="t")  # fmt: skip
    path = lines(tmp_path / "t.jsonl", rows)
    imported = import_table([path], given_map)
    assert [(r["answer"], r["target"], r["sample"]) for r in imported.records] == [
        ("B", "B", 0), ("C", "B", 1), ("", "B", 2)
    ]  # fmt: skip
    assert all(r["option_texts"] == first for r in imported.records)
    assert sorted(reason[:42] for _, reason in imported.unread) == [
        "the question has another target than in it", "the question has other options than in its"
    ]  # fmt: skip
    # Letters are those of the row's own order.
    rows = [{**row, "a": "A", "t": "BC"[row["o"] == second]} for row in rows[:3]]
    found = import_table([lines(path, rows)], given_map).records
    assert [(r["answer"], r["target"]) for r in found] == [("A", "B"), ("C", "B"), ("C", "B")]


def test_one_row_a_question_with_lists_of_samples(tmp_path):
    rows = [
        {"q": "x", "t": "A", "runs": [{"a": "A", "ok": 1}, {"a": "B", "ok": 0}], "n": [5, 6]},
        {"q": "y", "t": "B", "runs": [{"a": "B", "ok": 0}], "n": [7]},
        {"q": "z", "t": "B", "runs": "none", "n": [7]},
        {"q": "w", "t": "B", "runs": [{"a": "B", "ok": 1}], "n": [7, 8]},
    ]
    given_map = TableMap(
        columns={"question_id": "q", "answer": "runs.a", "target": "t", "output_tokens": "n"},
        constants={"model": "m"}, options=("A", "B"), explode=("runs", "n"), score="runs.ok",
    )  # fmt: skip
    for path in (lines(tmp_path / "t.jsonl", rows), tmp_path / "t.csv"):
        if path.suffix == ".csv":
            flat(rows).write_csv(path)
        imported = import_table([path], given_map)
        assert [(r["question_id"], r["sample"], r["answer"], r["output_tokens"]) for r in imported.records] == [
            ("x", 0, "A", 5), ("x", 1, "B", 6), ("y", 0, "B", 7)
        ]  # fmt: skip
        assert {reason for _, reason in imported.unread} == {
            "runs is no list", "runs, n are lists of different lengths"
        }  # fmt: skip
        (parted,) = imported.parted
        assert (
            parted.questions == ("y",)
            and parted.log == pytest.approx(1 / 3)
            and parted.read == pytest.approx(2 / 3)
        )


def test_samples_of_one_number(tmp_path):
    """A row that stands twice is read once; another condition's is numbered anew; else there is none."""
    base = {
        "doc_id": 1,
        "pred": "A",
        "gold": "A",
        "seed": 0,
        "usage": {"output_tokens": 1},
        "hint": "none",
    }
    rows = [
        base,
        base,
        {**base, "hint": "sycophantic"},
        {**base, "pred": "B"},
        {**base, "seed": "late"},
    ]
    imported = import_table([lines(tmp_path / "t.jsonl", rows)], replace(MAP, score=None))  # fmt: skip
    assert [(r["hint"], r["sample"]) for r in imported.records] == [("none", 0), ("sycophantic", 1)]
    assert {reason[:30] for _, reason in imported.unread} == {
        "another row is the same sample", "the sample is no number (witho"
    }  # fmt: skip
    assert imported.notes["rows that stand twice, read once"] == 1


def test_outcomes_alone(tmp_path):
    rows = [{"q": 1, "s": value} for value in (True, 0, "1", "false", 0.25, 7, "C", None)]
    given_map = TableMap(
        columns={"question_id": "q", "outcome": "s"}, constants={"model": "m"}, score="s"
    )
    imported = import_table([lines(tmp_path / "t.jsonl", rows)], given_map)
    assert [r["outcome"] for r in imported.records] == [True, False, True, False, 0.25]
    assert sum(imported.unread.values()) == 3 and not imported.parted


def test_probabilities_and_log_likelihoods(tmp_path):
    rows = [
        {"q": 1, "t": "B", "p": {"A": 0.25, "B": 0.75}, "l": [0.0, -1.0]},
        {"q": 2, "t": "B", "p": {"A": 0.25, "C": 0.75}, "l": [0.0, float("nan")]},
    ]
    path = lines(tmp_path / "t.jsonl", rows)
    given_map = mapped(("A", "B"), target="t", probs="p")  # fmt: skip
    imported = import_table([path], given_map)
    assert [r["probs"] for r in imported.records] == [{"A": 0.25, "B": 0.75}]
    assert {reason for _, reason in imported.unread} == {"probs are not of the options"}
    columns = {"question_id": "q", "target": "t", "logprobs": "l"}
    (record,) = import_table(
        [path], TableMap(columns=columns, constants={"model": "m"}, options=("A", "B"))
    ).records
    assert record["probs"]["B"] == pytest.approx(1 / (1 + 2.718281828459045))


def test_numbers_of_text_files_are_numbers_and_names_stay(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,a,t,words,code,rate\n007,A,A,12,007,0.5\n8,B,A,,8,1\n")
    columns = {
        "question_id": "id",
        "answer": "a",
        "target": "t",
        "words": "words",
        "code": "code",
        "rate": "rate",
    }
    found = import_table(
        [path], TableMap(columns=columns, constants={"model": "m"}, options=("A", "B"))
    ).records
    assert [(r["question_id"], r.get("words"), r["code"], r["rate"]) for r in found] == [
        ("007", 12, "007", 0.5), ("8", None, "8", 1.0)
    ]  # fmt: skip


def test_options_in_a_cell():
    letters = options_of(list("ABC"))
    assert letters == Options(tuple("ABC"))
    for cell in ('["A", "B", "C"]', "['A', 'B', 'C']", "A|B|C", "A, B, C", "A B C"):
        assert options_of(cell) == letters
    assert options_of([" A", " B"]) == Options(("A", "B"))
    assert options_of({"A": "yes", "B": "no", "C": None}) == Options(("A", "B"), ("yes", "no"))
    assert options_of(["H", "C"]) == Options(("A", "B"), ("H", "C"))
    assert options_of([3, 4]) == Options(("A", "B"), ("3", "4"))
    assert options_of("Rome or Paris") is None and options_of(["one"]) is None


@given(
    st.lists(
        st.text("abcXYZ 019.-é", min_size=1, max_size=5).map(str.strip).filter(bool),
        min_size=2,
        max_size=6,
        unique_by=str.lower,
    ),
    st.data(),
)
def test_an_option_is_found_by_its_text_its_label_and_its_number(texts, data):
    options = Options(tuple("ABCDEF"[: len(texts)]), tuple(texts))
    place = data.draw(st.integers(0, len(texts) - 1))
    assert place_of(texts[place], options, ["texts"]) == place
    assert place_of(f"({options.labels[place]})", options, ["letters"]) == place
    for first in (0, 1):
        assert place_of(place + first, options, [f"numbers-from-{first}"]) == place
    assert place_of(len(texts), options, ["numbers-from-0"]) is None


def test_dotted_paths():
    row = {"a.b": 1, "a": {"b": 2, "c.d": {"e": 3}}, "l": [{"x": 4}], "j": '{"k": [5]}'}
    assert [reach(row, path) for path in ("a.b", "a.c.d.e", "l.0.x", "j.k.0", "a.z", "l.7")] == [
        1,
        3,
        4,
        5,
        None,
        None,
    ]


def test_what_cannot_be_read_is_said_with_what_there_is(tmp_path, monkeypatch, capsys):
    path = lines(tmp_path / "t.jsonl", ROWS)
    out = ("--out", tmp_path / "out.jsonl")

    def refused(*arguments):
        return commands.refused(llm_import, monkeypatch, capsys, "table", *arguments, *out)

    said = refused(
        path,
        "--columns",
        "question_id=doc",
        "answer=usage.tokens",
        "target=gold",
        "--options",
        "A",
        "B",
        "--set",
        "model=m",
    )
    assert (
        "no column 'doc' (question_id)" in said
        and "'usage.tokens' (answer), did you mean 'usage.output_tokens'?" in said
    )
    assert "it has doc_id, pred, gold, seed, correct, hint, usage.output_tokens" in said
    said = refused(path, "--columns", "answer=pred", "target=gold")
    assert "question_id is needed: --columns question_id=COLUMN; 'doc_id'?" in said
    assert "model is needed: --set model=NAME" in said and "options is needed" in said
    said = refused(path, "--columns", "questionid=doc_id", "answer=pred", "target=gold")
    assert "question_id is needed: --columns question_id=COLUMN, and not 'questionid'" in said
    listed = lines(tmp_path / "l.jsonl", [{"q": "1", "said": ["A", "B"], "right": "A"}])
    columns = ("question_id=q", "answer=said", "target=right")
    said = refused(listed, "--columns", *columns, "--options", "A", "B", "--set", "model=m")
    assert "said holds lists of answers: --explode said makes a sample of each" in said
    twice = ("model=gold", "question_id=doc_id", "outcome=correct")
    assert "model is said twice" in refused(path, "--columns", *twice, "--set", "model=m")
    assert "answer is needed" in refused(path)
    assert "--columns must be NAME=VALUE" in refused(path, "--columns", "question_id")
    assert "is no table" in refused(lines(tmp_path / "t.txt", ROWS), "--columns", "question_id=doc_id")
    document = tmp_path / "d.json"
    document.write_text(json.dumps({"config": {"n": 1}, "results": {"rows": ROWS}}))
    assert "rows are at results.rows (4 rows) (--rows names one)" in refused(
        document, "--columns", "question_id=doc_id"
    )
    assert read_table(document, "results.rows").rows[0][1] == ROWS[0]


def test_the_command(tmp_path, monkeypatch, capsys):
    rows = [
        *ROWS,
        "{cut",
        {**ROWS[0], "doc_id": 9, "gold": "E"},
        {**ROWS[0], "doc_id": 10, "gold": "F"},
    ]
    path, out = lines(tmp_path / "t.jsonl", rows), tmp_path / "out.jsonl"
    told = ["table", path, "--columns", "question_id=doc_id", "answer=pred", "target=gold", "sample=seed", "--options",
            *LETTERS, "--set", "model=m", "--score", "correct"]  # fmt: skip
    code, printed, _ = run(monkeypatch, capsys, *told, "--out", out)
    assert code == 1 and "1 of 1 figures agree" in printed
    assert "the target is none of the options (2, first at line 6: 'E')" in printed
    assert "the line is no JSON (1, first at line 5)" in printed
    assert read_records([out]).height == 4
    lines(path, ROWS)
    assert run(monkeypatch, capsys, *told, "--out", out, "--overwrite")[0] == 0
    assert "--out FILE" in run(monkeypatch, capsys, *told)[2]


def test_a_dry_look(tmp_path, monkeypatch, capsys):
    path = lines(tmp_path / "t.jsonl", ROWS)
    code, printed, _ = run(monkeypatch, capsys, "table", path)
    assert code == 0 and "usage.output_tokens  11" in printed
    assert (
        f"llm_import table {path} --columns question_id=doc_id answer=pred target=gold sample=seed"
        in printed
    )
    assert "--options A B C D --set model=NAME --score correct --out records.jsonl" in printed
    assert list(tmp_path.iterdir()) == [path]


# Tables of other harnesses, made by hand in their layouts.

DOC = {"query": "?", "choices": [" A", " B"], "gold_index": [1], "id": "0", "task_name": "mmlu:law"}
MADE = {
    "lighteval": (
        ".parquet",
        [
            {
                "__doc__": DOC,
                "__model_response__": {"logprobs": [-1.0, -2.0], "text": []},
                "__metric__": {"acc": 0},
            },
            {
                "__doc__": {**DOC, "id": "1"},
                "__model_response__": {"logprobs": [-3.0, -2.0], "text": []},
                "__metric__": {"acc": 1},
            },
        ],
        {"score": "__metric__.acc"},
        [0, 1],
    ),
    "lighteval-generated": (
        ".parquet",
        [
            {
                "__doc__": DOC,
                "__model_response__": {"text": ["The answer is B", "Answer: A"]},
                "__metric__": {"em": 0.5},
            },
        ],
        {},
        [1, 0],
    ),
    "evalscope": (
        ".jsonl",
        [
            {
                "index": i,
                "input": "?",
                "target": "B",
                "sample_score": {
                    "score": {
                        "value": {"acc": float(a == "B")},
                        "extracted_prediction": a,
                        "prediction": f"ANSWER: {a}",
                        "main_score_name": "acc",
                    },
                    "sample_id": i,
                    "group_id": 0,
                    "sample_metadata": {},
                },
            }
            for i, a in enumerate("BC")
        ],
        {},
        [1, 0],
    ),
    "opencompass": (
        ".json",
        {
            "accuracy": 50.0,
            "details": {
                "type": "GEN",
                **{
                    str(i): {
                        "prompt": "?",
                        "origin_prediction": f"It is {a}",
                        "predictions": a,
                        "references": "B",
                        "correct": a == "B",
                    }
                    for i, a in enumerate("AB")
                },
            },
        },
        {},
        [0, 1],
    ),
    "simple-evals": (
        ".json",
        {
            "score": 0.4,
            "htmls": [],
            "metadata": {
                "example_level_metadata": [
                    {
                        "score": s,
                        "prompt_id": "p",
                        "completion": [{"role": "assistant", "content": "…"}],
                    }
                    for s in (0.75, 0.0, -0.5)
                ]
            },
        },
        {},
        [0.75, 0],
    ),
    "promptfoo": (
        ".json",
        {
            "results": {
                "version": 3,
                "results": [
                    {
                        "provider": {"id": "openai:x", "label": ""},
                        "promptIdx": 0,
                        "testIdx": i,
                        "vars": {"language": "French"},
                        "success": i == 0,
                        "score": 1 - i / 2,
                        "response": {"output": "Bonjour", "tokenUsage": {"completion": 4 + i}},
                    }
                    for i in (0, 1)
                ],
            }
        },
        {},
        [1, 0],
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_tables_of_other_harnesses(tmp_path, name):
    ending, content, more, expected = MADE[name]
    if ending == ".json":
        path = tmp_path / "t.json"
        path.write_text(json.dumps(content))
    else:
        path = written(tmp_path, content, ending)
    constants = {} if name == "promptfoo" else {"model": "m"}
    imported = import_table([path], TableMap(constants=constants, **more).over(MAPS[name]))
    right = [
        max(r["probs"], key=r["probs"].get) == r["target"] if "probs" in r
        else r["answer"] == r["target"] if "answer" in r else r["outcome"]
        for r in imported.records
    ]  # fmt: skip
    assert right == expected and not imported.parted
    left_out = {"simple-evals": ["the outcome is neither true, false nor a number from 0 to 1"]}
    assert [reason for _, reason in imported.unread] == left_out.get(name, [])
    assert len(imported.compared) == (name in ("lighteval", "evalscope", "opencompass"))
    if name in ("evalscope", "promptfoo", "lighteval-generated"):
        assert {r["question_id"] for r in imported.records} == {imported.records[0]["question_id"]}
        assert [r["sample"] for r in imported.records] == [0, 1]


def test_the_command_knows_every_map():
    literal = next(of for of in get_args(Table.__dataclass_fields__["map"].type) if get_args(of))
    assert set(get_args(literal)) == set(MAPS) == set(MADE)
