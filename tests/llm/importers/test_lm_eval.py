"""Samples of lm-evaluation-harness, as records."""

import gzip
import json
import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_logs import TIME, generated, likelihoods, scored, write_samples

from hotmess_jax.llm.importers import import_lm_eval
from hotmess_jax.llm.importers.last_number import last_number
from hotmess_jax.llm.measures.series import series_of
from hotmess_jax.llm.records import read_records


def test_every_repeat_of_lm_eval_is_read_once_whatever_the_filters(tmp_path):
    responses = ["The answer is B.", " (A)", "I do not know", "<think>A</think> Answer: x"]
    rows = [generated(0, responses, filter_name=name) for name in ("strict", "flexible")]
    path = write_samples(tmp_path, [*rows, generated(1, ["D"] * 4)])
    imported = import_lm_eval([path])
    assert not imported.unread and len(imported.records) == 8
    first = imported.records[:4]
    right = first[0]["target"]
    assert first[0]["answer"] == right == first[3]["answer"]
    assert first[1]["answer"] not in ("", right) and first[2]["answer"] == ""
    assert [r["sample"] for r in first] == [0, 1, 2, 3] and first[3]["reasoning"] == "A"
    assert {r["temperature"] for r in first} == {0.7} and {r["model"] for r in first} == {"gpt-x"}


def test_labels_follow_the_options_texts_through_any_shuffle(tmp_path):
    def gpqa(order):
        texts = ["right", "one", "two", "three"]
        choices = [texts[i] for i in order]
        doc = {f"choice{i + 1}": text for i, text in enumerate(choices)} | {"Question": "Why?"}
        return doc | {"answer": f"({'ABCD'[choices.index('right')]})"}

    found = []
    for i, order in enumerate([(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)]):
        doc = gpqa(order)
        letters = {text: "ABCD"[k] for k, text in enumerate(doc[f"choice{j}"] for j in range(1, 5))}
        rows = [generated(0, [f"({letters[text]})" for text in ("right", "one", "two", "three")], doc,
                          target=doc["answer"])]  # fmt: skip
        imported = import_lm_eval([write_samples(tmp_path / str(i), rows)])
        found.append([(r["question_id"], r["target"], r["answer"]) for r in imported.records])
        for record in imported.records:  # by which its text calls them
            shown = dict(zip(record["options"], record["shown_labels"], strict=True))
            assert record["text"] == f"({shown[record['answer']]})"
    assert found[0] == found[1] == found[2]
    assert found[0][0][1] == found[0][0][2] and len({answer for _, _, answer in found[0]}) == 4


def test_log_likelihoods_become_a_distribution(tmp_path):
    values = [-3.0, -1.0, -2.0, -700.0]
    imported = import_lm_eval([write_samples(tmp_path, [likelihoods(0, values)])])
    (record,) = imported.records
    total = sum(math.exp(v) for v in values)
    by_size = sorted(record["probs"].values(), reverse=True)
    assert by_size == pytest.approx(sorted((math.exp(v) / total for v in values), reverse=True))
    assert record["probs"][record["target"]] == max(by_size)


@pytest.mark.parametrize(
    "doc",
    [
        {"question": "Q?", "choices": {"text": ["w", "x"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "Q?", "choices": {"text": ["w", "x"], "label": ["1", "2"]}, "answerKey": "2"},
        {"question": "Q?", "options": ["w", "x"], "answer": "B", "answer_index": 1},
        {"question": "Q?", "A": "w", "B": "x", "answer": "B"},
        {"query": "Q?", "choices": ["w", "x"], "gold": 1},
        {"input": "Q?", "choices": ["w", "x"], "target": "x"},
        {"question": "Q?", "choices": ["w", "x"]},
    ],
)
def test_documents_of_many_tasks(tmp_path, doc):
    row = generated(0, ["B", "x", "A"], doc)
    imported = import_lm_eval([write_samples(tmp_path, [row])])
    assert not imported.unread
    target = imported.records[0]["target"]
    assert [r["answer"] == target for r in imported.records] == [True, True, False]


def test_what_lm_eval_files_cannot_give_is_listed(tmp_path):
    rows = [
        generated(0, ["A"]),
        generated(1, ["A"], {"question": "Q?"}),
        generated(
            2, ["A"], {"question": "Q?", "choices": ["w", "x"], "answer": "neither"}, target="no"
        ),
        generated(3, ["A"], {"choices": ["w", "x"], "answer": 0}),
        likelihoods(4, [-1.0, -2.0]),
        {"doc_id": 5},
        '{"doc_id": 6, "doc": {"que',
    ]
    rows[2]["target"] = "no"
    path = write_samples(tmp_path, rows)
    other = write_samples(tmp_path / "alone", rows[:1], model=None)
    imported = import_lm_eval([path, other])
    assert len(imported.records) == 2  # also the one whose document has no text but its options
    reasons = {imported.first.get(key, key[0]): key[1] for key in imported.unread}
    expected = {
        2: "has no options",
        3: "right option is not known",
        5: "2 log-likelihoods for 4 options",
        6: "is no sample",
        7: "is no sample",
    }
    for line, text in expected.items():
        assert text in reasons[f"line {line}"]
    assert "--model names it" in reasons[str(other)] and len(reasons) == 6


def accuracy(imported):
    """The share of records whose most probable option is the target."""
    return sum(max(r["probs"], key=r["probs"].get) == r["target"] for r in imported.records) / len(
        imported.records
    )


def siqa(doc_id, label, best):
    """A document of social_iqa: its labels count from 1, its row's target from 0."""
    doc = {"context": f"Story {doc_id}.", "question": "Why?", "label": str(label)}
    doc |= {"answerA": "a one", "answerB": "b two", "answerC": "c three"}
    values = [-1.0 if i == best else -3.0 for i in range(3)]
    texts = [doc[f"answer{letter}"] for letter in "ABC"]
    return scored(doc_id, doc, texts, values, str(label - 1), acc=float(best == label - 1))


def test_the_rows_own_target_is_taken_and_the_figures_agree(tmp_path):
    rows = [siqa(0, 1, 0), siqa(1, 2, 1), siqa(2, 3, 0)]
    own = {"tiny": {"acc,none": 2 / 3}}
    path = write_samples(tmp_path, rows, results=own, **{"n-samples": {"tiny": {"effective": 3}}})
    imported = import_lm_eval([path])
    assert accuracy(imported) == 2 / 3 and not imported.unread and not imported.parted
    assert not imported.notes  # "1" to "3" count from 1: nothing is contradicted
    assert [(c.figure, c.log, c.read) for c in imported.compared] == [
        ("questions", 3, 3),
        ("acc,none", 2 / 3, 2 / 3),
    ]
    assert {r["target"] for r in imported.records} <= {"A", "B", "C"}


def test_a_log_that_parts_from_what_was_read_names_its_questions(tmp_path):
    rows = [siqa(0, 1, 0), siqa(1, 2, 1), siqa(2, 3, 0)]
    rows[1]["acc"] = 0.0
    rows[2]["doc"]["label"] = "1"
    path = write_samples(tmp_path, rows, **{"n-samples": {"tiny": {"effective": 4}}})
    imported = import_lm_eval([path])
    assert {c.figure: c.questions for c in imported.parted} == {"questions": (), "acc,none": ("1",)}
    (note,) = imported.notes
    assert "'label from 1' contradicts the row's target" in note and "documents 2" in note
    bare = [siqa(0, 1, 0)]
    del bare[0]["acc"]
    (said,) = import_lm_eval([write_samples(tmp_path / "bare", bare)]).without_figures
    assert said.endswith(": tiny")


def test_fields_of_documents_count_as_the_rows_own_scores_confirm(tmp_path):
    """winogrande: the options are contexts, the target is what follows, the answer counts from 1."""
    rows = []
    for i, (answer, best) in enumerate([("1", 0), ("2", 1), ("1", 1), ("2", 0)]):
        doc = {"sentence": f"{i}: Sam met Jo as _ was late.", "option1": "Sam", "option2": "Jo"}
        row = scored(i, doc | {"answer": answer}, ["was late."] * 2, [-2.0, -2.0], "was late.")
        row["resps"][best] = [["-1.0", "False"]]
        for j, name in enumerate(("Sam", "Jo")):
            row["arguments"][f"gen_args_{j}"]["arg_0"] = f"{i}: Sam met Jo as {name}"
        rows.append(row | {"acc": float(int(answer) - 1 == best)})
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    assert accuracy(imported) == 0.5 and not imported.unread and not imported.parted
    right = [r["option_texts"]["ABCD".index(r["target"])] for r in imported.records]
    assert right == ["Sam", "Jo", "Sam", "Jo"]


FAMILIES = {
    "boolq": ({"passage": "P{}.", "question": "Is it?", "label": 1}, ["no", "yes"], "1"),
    "multirc": ({"paragraph": "P{}.", "question": "Q", "answer": "x", "label": 0}, ["x yes", "x no"], "0"),
    "piqa": ({"goal": "G{}", "sol1": "one", "sol2": "two", "label": 1}, ["one", "two"], "1"),
    "openbookqa": ({"question_stem": "Q{}", "answerKey": "B",
                    "choices": {"text": ["w", "x"], "label": ["A", "B"]}}, ["w", "x"], "1"),
    "race": ({"article": "A{}", "problems": "[…]"}, ["w", "x", "y", "z"], "1"),
    "swag": ({"startphrase": "S{}", "ending0": "w", "ending1": "x", "label": 1}, ["w", "x"], "1"),
    "anli": ({"premise": "P{}", "hypothesis": "H", "label": 1}, ["True", "Neither", "False"], "Neither"),
    "wic": ({"sentence1": "One {}", "sentence2": "Two", "label": 1}, ["no", "yes"], "1"),
    "belebele": ({"flores_passage": "P{}", "question": "Q", "correct_answer_num": "2", "mc_answer1": "w",
                  "mc_answer2": "x", "mc_answer3": "y", "mc_answer4": "z"}, ["A", "B", "C", "D"], "1"),
    "musr": ({"narrative": "N{}", "question": "Q", "choices": "['w', 'x']", "answer_index": 1,
              "answer_choice": "x"}, ["w", "x"], "x"),
    "numbers": ({"question": "Q{}", "choices": ["2", "1", "3"]}, ["2", "1", "3"], "1"),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["file", "gzip", "results"])
def test_families_of_tasks_in_every_form_of_file(tmp_path, family, form):
    doc, texts, target = FAMILIES[family]
    rows = []
    for i in range(4):
        named = {k: v.format(i) if isinstance(v, str) else v for k, v in doc.items()}
        values = [-1.0 if j == (1 if i else 0) else -2.0 for j in range(len(texts))]
        right = 0 if family == "multirc" else 1
        own = float((1 if i else 0) == right)
        rows.append(scored(i, named, texts, values, target, acc=own, doc_hash=str(i)))
    path = write_samples(
        tmp_path, rows, results={"tiny": {"acc,none": sum(r["acc"] for r in rows) / 4}}
    )
    if form == "gzip":
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    elif form == "results":
        path.unlink()
        for row in rows:
            row["arguments"] = [[one["arg_0"], one["arg_1"]] for one in row["arguments"].values()]
            row["resps"] = [[[float(one[0][0]), False]] for one in row["resps"]]
        results = path.with_name(f"results_{TIME}.json")
        results.write_text(json.dumps(json.loads(results.read_text()) | {"samples": {"tiny": rows}}))
    imported = import_lm_eval([tmp_path])
    assert not imported.unread and not imported.parted and len(imported.compared) == 1
    assert len({r["question_id"] for r in imported.records}) == 4  # whatever the passage's question is


def test_labels_that_the_document_has_contradict_nothing(tmp_path):
    """ARC: most documents have letters, some digits that count from 1; the row's target is a place."""
    rows = []
    for i, labels in enumerate(["ABCD", "1234", "1234"]):
        texts = [f"{text} of {i}" for text in ("one", "two", "three", "four")]
        doc = {
            "question": f"Q{i}",
            "answerKey": labels[i],
            "choices": {"text": texts, "label": [*labels]},
        }
        rows.append(scored(i, doc, texts, [-1.0, -2.0, -3.0, -4.0], str(i), acc=float(i == 0)))
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    assert accuracy(imported) == 1 / 3 and not imported.unread and not imported.parted
    assert not imported.notes


def test_options_that_are_called_answers_are_no_several_right_ones(tmp_path):
    """headqa: the options are a list of mappings."""
    texts = ["w", "x", "y"]
    answers = [{"aid": i + 1, "atext": text} for i, text in enumerate(texts)]
    doc = {"qtext": "Q", "ra": 2, "answers": answers}
    row = scored(0, doc, texts, [-2.0, -1.0, -3.0], "1", acc=1.0)
    imported = import_lm_eval([write_samples(tmp_path, [row])])
    assert accuracy(imported) == 1 and not imported.unread and not imported.parted


@pytest.mark.parametrize("kind", ["generated", "scored"])
def test_a_document_whose_options_were_shuffled_after_it_was_asked_is_refused(tmp_path, kind):
    """gpqa without a cache: the harness' log has another order than its prompt, and the target of that."""
    rows = []
    for i, shown in enumerate([("w", "x", "y", "z"), ("x", "w", "y", "z")]):
        doc = {"Question": f"Q{i}", "choice1": "w", "choice2": "x", "choice3": "y", "choice4": "z",
               "answer": "(B)"}  # fmt: skip
        prompt = "".join(f"({letter}) {text}\n" for letter, text in zip("ABCD", shown, strict=True))
        if kind == "scored":
            labels = [f"({letter})" for letter in "ABCD"]
            rows.append(scored(i, doc, labels, [-2.0, -1.0, -3.0, -3.0], "(B)", prompt, acc=1.0))
        else:
            rows.append(generated(i, ["(B)"], doc, target="(B)", exact_match=1.0))
            rows[-1]["arguments"]["gen_args_0"]["arg_0"] = prompt
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    (record,) = imported.records
    assert record["option_texts"][record["options"].index(record["target"])] == "x"
    ((_, reason),) = imported.unread
    assert "in another order than the document" in reason and [*imported.first.values()] == ["line 2"]


def test_log_likelihoods_of_a_prompt_are_counted_once(tmp_path):
    for count in (1, 2, 3):
        write_samples(tmp_path, [siqa(i, 1, 0) for i in range(count)], time=f"2026-11-2{count}T1")
    imported = import_lm_eval([tmp_path])
    assert [r["sample"] for r in imported.records] == [0, 0, 0]
    assert imported.notes == {"log-likelihoods of a prompt, which cannot vary, counted once": 3}
    # What was generated can; but not in a copy of the same run.
    for folder in ("a", "b"):
        write_samples(tmp_path / folder, [generated(0, ["A", "B"])])
    write_samples(tmp_path / "b", [generated(0, ["A", "B"])], time="2026-11-29T1")
    imported = import_lm_eval([tmp_path / "a", tmp_path / "b"])
    assert [r["sample"] for r in imported.records] == [0, 1, 2, 3]
    ((note, count),) = imported.notes.items()
    assert "was not read again" in note and count == 1


def test_other_settings_are_other_samples(tmp_path):
    told = [
        {"n-shot": {"tiny": 0}},
        {"n-shot": {"tiny": 5}},
        {"n-shot": {"tiny": 0}, "chat_template": "{…}", "chat_template_sha": "abcdef0123456"},
        {
            "n-shot": {"tiny": 0},
            "config": {"model_args": "pretrained=m,load_in_4bit=True,batch_size=3"},
        },
        {"n-shot": {"tiny": 0}, "longest": 512},
    ]
    for i, results in enumerate(told):
        row = generated(0, ["A"])
        if (longest := results.pop("longest", None)) is not None:
            row["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] = longest
        write_samples(tmp_path, [row], time=f"2026-11-2{i}T1", **results)
    imported = import_lm_eval([tmp_path])
    assert [r["sample"] for r in imported.records] == [0] * 5
    assert [(r["num_fewshot"], r.get("chat_template"), r.get("model_args"), r.get("max_tokens"))
            for r in imported.records] == [(0, None, None, None), (5, None, None, None),
            (0, "abcdef01", None, None), (0, None, "load_in_4bit=True", None), (0, None, None, 512)]  # fmt: skip
    out = tmp_path / "records.jsonl"
    out.write_text("".join(json.dumps(r) + "\n" for r in imported.records))
    records = read_records([out])
    assert [one.records.height for one in series_of(records)] == [1] * 5
    # Tasks of one run may have their own: that alone splits no series.
    other = [r | {"benchmark": f"b{r['num_fewshot']}"} for r in imported.records[:2]]
    out.write_text("".join(json.dumps(r) + "\n" for r in other))
    assert [one.records.height for one in series_of(read_records([out]))] == [2]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [("pretrained=org/m,dtype=bfloat16", "org/m"), ({"model": "m2"}, "m2"), ("dtype=float16", None)],
)
def test_a_model_is_not_called_after_its_backend(tmp_path, arguments, name):
    config = {"model": "hf", "model_args": arguments}
    path = write_samples(tmp_path, [generated(0, ["A"])], model=None, config=config)
    imported = import_lm_eval([path])
    assert [r["model"] for r in imported.records] == ([name] if name else [])
    assert bool(imported.unread) == (name is None)


def test_tasks_with_several_right_options_are_refused(tmp_path):
    choices = {"choices": ["w", "x", "y"], "labels": [1, 1, 0]}
    mc2 = scored(0, {"question": "Q", "mc2_targets": choices}, ["w", "x", "y"], [-1, -2, -3], "0")
    record = {"query": "q", "entities": ["w", "x", "y"], "answers": ["w", "x"]}
    listed = scored(2, {"question": "Q"}, ["w", "x", "y"], [-1, -2, -3], "[0, 1]")
    mass = scored(3, {"question": "Q"}, ["w", "x", "y"], [-1, -2, -3], "0", acc=0.83)
    rows = [mc2, scored(1, record, ["w", "x", "y"], [-1, -2, -3], "w"), listed, mass]
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    assert not imported.records
    (((_, reason), count),) = imported.unread.items()
    assert "several options are right" in reason and count == 4


def test_normalised_log_likelihoods_are_those_of_acc_norm(tmp_path):
    texts, values = ["short", "a longer option"], [-4.0, -6.0]
    more = {"acc": 1.0, "acc_norm": 0.0, "acc_mutual_info": 0.0}
    row = scored(0, {"question": "Q"}, [*texts, *texts], [*values, -1.0, -9.0], "0", **more)
    for i in (2, 3):  # acc_mutual_info asks without the context too
        row["arguments"][f"gen_args_{i}"]["arg_0"] = ""
    path = write_samples(tmp_path, [row])
    for normalised in (False, True):
        imported = import_lm_eval([path], normalised=normalised)
        (record,) = imported.records
        logs = [v / len(t) if normalised else v for v, t in zip(values, texts, strict=True)]
        by_text = dict(zip(record["option_texts"], record["options"], strict=True))
        odds = math.log(record["probs"][by_text[texts[0]]] / record["probs"][by_text[texts[1]]])
        assert odds == pytest.approx(logs[0] - logs[1])
        figures = {"acc,none": 1, "acc_norm,none": 0, "acc_mutual_info,none": 0}
        assert {c.figure: c.read for c in imported.compared} == figures and not imported.parted


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        ("ΑΒΓΔ", ["Β", "Η απάντηση είναι Β.", "Απάντηση: (Β)"]),
        ("АБВГ", ["Б", "Ответ: Б", "Правильный ответ — Б."]),
        ("1234", ["2", "The answer is 2.", "Answer: (2)"]),
        ("ABCD", ["B", "The answer is B.", "Answer: (B)"]),
    ],
)
@pytest.mark.parametrize("shown", [True, False])
def test_labels_are_those_of_the_tasks_own_targets(tmp_path, labels, answers, shown):
    doc = {"question": "Q?", "choices": ["w", "x", "y", "z"]}
    listed = "\n".join(f"{label}. {text}" for label, text in zip(labels, doc["choices"], strict=True))
    rows = []
    for i, target in enumerate((labels[1], labels[3])):
        row = generated(
            i, answers, doc | {"question": f"Q{i}?"}, target=target, exact_match=float(not i)
        )
        row["arguments"]["gen_args_0"]["arg_0"] = f"Q{i}?\n{listed}" if shown else "…"
        rows.append(row)
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    texts = [r["option_texts"]["ABCD".index(r["answer"])] for r in imported.records if r["answer"]]
    assert texts == ["x"] * 6 and not imported.parted


def test_answers_that_cannot_be_read_where_the_log_could_are_named(tmp_path):
    rows = [generated(i, ["⊕"], exact_match=1.0) for i in range(3)]
    imported = import_lm_eval([write_samples(tmp_path, rows)])
    assert imported.parted[0].questions == ("0", "1", "2")
    assert any("100% of the answers could not be parsed" in note for note in imported.notes)


def test_reasons_are_counted_by_file(tmp_path):
    rows = [generated(i, ["A"], {"question": f"Q{i}?"}) for i in range(139)]
    path = write_samples(tmp_path, rows)
    pointer = tmp_path / f"samples_big_{TIME}.jsonl"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
    imported = import_lm_eval([tmp_path])
    found = {Path(file).name: (reason, count) for (file, reason), count in imported.unread.items()}
    assert found[path.name][1] == 139 and "Git LFS pointer" in found[pointer.name][0]


def test_problems_of_arithmetic_are_right_by_their_last_number(tmp_path):
    target = "He has 1,000 + 234 apples.\n#### 1,234"
    responses = ["It is $1,234.", "#### 1234.00", "1,234 - 4 = 1230", "I do not know"]
    rows = [
        generated(0, responses, {"question": "How many?", "answer": target}, name, target=target,
                  exact_match=value)
        for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))
    ]  # fmt: skip
    path = write_samples(tmp_path, rows)
    ((_, reason),) = import_lm_eval([path]).unread
    assert "--correctness" in reason
    imported = import_lm_eval([path], correctness=True)
    assert [r["answer"] for r in imported.records] == ["correct", "correct", "incorrect", ""]
    assert [r.get("outcome") for r in imported.records] == [True, True, False, None]
    (one,) = imported.compared  # strict-match reads another answer
    assert (one.figure, one.log, one.read) == ("exact_match,flexible-extract", 1, 1) and one.agrees


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 1,234", 1234), ("costs $1,200.50.", "2401/2"), ("3-5", 5), ("x = -3", -3), ("-$3.50", "-7/2"),
        ("2 3/4 cups", "11/4"), (r"\frac{1}{2}", "1/2"), ("50%", 50), ("18.00", 18), ("1,2,3", 3),
        ("12 km/h", 12), ("none", None), (r"\boxed{42}.", 42), ("−7", -7), ("72 m2", 72), ("72 cm^2", 72),
        (r"72 $\text{cm}^{2}$", 72), ("18 g CO2", 18), ("Rs.18", 18), ("USD18", 18), ("1.5e3", 1500),
        ("10^3", 1000), ("2½ cups", "5/2"), (r"-2\frac{3}{4}", "-11/4"), (r"-\$3", -3), ("it is:\n- 5", 5),
        ("1'234", 1234), (r"18\,000", 18000), ("১৮", 18), ("x10", None),
    ],
)  # fmt: skip
def test_last_numbers(text, number):
    assert last_number(text) == (None if number is None else Fraction(number))


def test_a_response_that_never_ends_is_a_number_too():
    assert last_number("9" * 5000) == 10**5000 - 1  # as text Python takes 4,300 digits


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{:,}", "{}", "x = {:,}.", "{:,} m", "7 or {}"]))
def test_integers_are_read_however_they_are_written(value, form):
    assert last_number(form.format(value)) == value
