"""What is asked: prompts, contexts, seeds, settings; and the file that the records go to."""

import base64
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interruptions import small_disk
from places import ROOT

from hotmess_jax.llm.records import Record, read_records
from hotmess_jax.llm.sampling.asks import (
    SAMPLING_PRESETS,
    Reply,
    SamplingSettings,
    check_settings,
    chosen_questions,
    narrowed,
    plan_asks,
    sampling_parameters,
    to_record,
    was_cut,
)
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.budgets import budget_fields
from hotmess_jax.llm.sampling.embeddings import (
    Embedded,
    TextsRefusedError,
    embed_records,
    embeddings_path,
    with_vectors,
)
from hotmess_jax.llm.sampling.plan import plan
from hotmess_jax.llm.sampling.prompts import draw_shots, prompt_name, prompt_text, render, without
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.replies import MalformedReplyError, UnreadableReplyError
from hotmess_jax.llm.sampling.seeds import derived_seed
from hotmess_jax.llm.sampling.tally import tally_of
from hotmess_jax.llm.sampling.variety import Variety, chance_of_equal
from hotmess_jax.llm.sampling.vectors import read_vectors
from hotmess_jax.machine.disk import WriteFailedError


def question(i, topic="anatomy", **more):
    return Question(
        "mmlu", f"{topic}/{i:03d}", f"Question {i}?", ("a", "b", "c", "d"), "ABCD"[i % 4], topic, **more
    )


PROBS = {"A": 0.5, "B": 0.25, "C": 0.125, "D": 0.125}
OPEN = {"benchmark": "mwe", "format": "open"}
CORPUS = [question(i, topic) for topic in ("anatomy", "virology") for i in range(8)]


def run(**more):
    return SamplingSettings(**({"benchmark": "mmlu", "data": "d", "model": "m"} | more))


def asks(s, corpus=CORPUS, present=frozenset(), per_request=None):
    return list(plan_asks(s, corpus, present, per_request))


def test_every_question_context_and_sample_is_asked_once():
    planned = asks(run(contexts=3, samples=4, shots=2))
    keys = [(a.question.question_id, a.context, s) for a in planned for s in a.samples]
    assert len(keys) == len(set(keys)) == len(CORPUS) * 3 * 4
    one_by_one = asks(run(contexts=3, samples=4, shots=2), per_request=3)
    assert {len(a.samples) for a in one_by_one} == {3, 1}
    assert keys == [(a.question.question_id, a.context, s) for a in one_by_one for s in a.samples]


def test_only_what_is_missing_is_asked():
    present = {(q.question_id, 0, s) for q in CORPUS for s in (0, 2)} - {("anatomy/003", 0, 2)}
    planned = asks(run(samples=3), present=present)
    assert {a.samples for a in planned} == {(1,), (1, 2)}
    assert asks(run(samples=1), present=present) == []


def test_seeds_of_many_requests_are_distinct_and_reproducible():
    corpus = [question(i) for i in range(250)]
    first = asks(run(contexts=10, samples=4, shots=1), corpus, per_request=1)
    seeds = [a.seed for a in first]
    assert len(seeds) == len(set(seeds)) == 10_000
    assert seeds == [a.seed for a in asks(run(contexts=10, samples=4, shots=1), corpus, per_request=1)]
    assert not set(seeds) & {
        a.seed for a in asks(run(contexts=10, samples=4, shots=1, seed=1), corpus, per_request=1)
    }
    # What is left after an interruption keeps its seeds.
    assert narrowed(run(), first[5], first[5].samples).seed == first[5].seed


@given(st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=4))
def test_seeds_depend_on_where_the_parts_end(parts):
    seed = derived_seed(*parts)
    assert 0 <= seed < 2**53 and float(seed) == seed
    assert derived_seed(*parts, "") != seed
    if len(parts) > 1 and isinstance(parts[0], str) and isinstance(parts[1], str):
        assert derived_seed(parts[0] + parts[1], "", *parts[2:]) != derived_seed(*parts) or not parts[1]


@settings(max_examples=50)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.integers(0, 2**53 - 1))
def test_examples_never_hold_the_question_and_do_not_depend_on_the_order_of_rows(random, shots, seed):
    drawn = draw_shots(CORPUS, shots, seed)
    shuffled = list(CORPUS)
    random.shuffle(shuffled)
    assert draw_shots(shuffled, shots, seed) == drawn
    for asked in CORPUS:
        examples = without(drawn, asked)
        assert len(examples) == shots
        assert asked not in examples
    # All but the drawn ones see the same examples.
    assert len({tuple(q.question_id for q in without(drawn, a)) for a in CORPUS if a not in drawn}) == 1


def test_contexts_differ_and_wrong_labels_are_no_examples():
    wrong = [question(i, extra={"error_type": "wrong_groundtruth"}) for i in range(100, 140)]
    planned = asks(run(contexts=8, samples=1, shots=3), CORPUS + wrong)
    assert not any(
        "Question 1" in a.prompt.text.rsplit("\n\n", 2)[0].replace("Question 1?", "") for a in planned
    )
    of_one = {a.context: a.prompt.text for a in planned if a.question == CORPUS[0]}
    assert len(set(of_one.values())) == 8
    with pytest.raises(ValueError, match="20 shots need 21 questions to draw from, got 16"):
        asks(run(shots=20), CORPUS + wrong)


def test_examples_of_one_topic():
    planned = asks(run(contexts=2, samples=1, shots=3, shots_from="topic"))
    assert all(
        a.prompt.text.startswith(
            f"The following are multiple choice questions (with answers) about {a.question.topic}.\n\n"
        )
        for a in planned
    )


def test_the_standard_completion_prompt_is_the_published_one():
    text = prompt_text("choice")
    rendered = render(text, CORPUS[1], [CORPUS[0]], chat=False)
    assert rendered.system == ""
    assert rendered.text == (
        "The following are multiple choice questions (with answers) about anatomy.\n\n"
        "Question 0?\nA. a\nB. b\nC. c\nD. d\nAnswer: A\n\n"
        "Question 1?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
    )


@pytest.mark.parametrize(
    ("benchmark", "form", "thought", "chat", "name"),
    [
        ("mmlu", "choice", False, True, "choice"),
        ("mmlu", "choice", False, False, "choice"),
        ("gpqa", "choice", True, True, "chain_of_thought"),
        ("gpqa", "probability", False, True, "probability"),
        ("mwe", "choice", False, True, "tagged"),
        ("mwe", "choice", False, False, "choice"),
        ("mwe", "open", False, True, "open"),
    ],
)
def test_every_prompt_asks_and_ends_as_it_should(benchmark, form, thought, chat, name):
    assert prompt_name(benchmark, form, thought, chat) == name
    text = prompt_text(name)
    assert text.label == f"{name}@{text.version}"
    braces = Question("mwe", "q", "Is {this} safe?", ("{yes}", "no"), "B")
    rendered = render(text, braces, [], chat)
    assert "Is {this} safe?" in rendered.text
    assert ("{yes}" in rendered.text) == (form != "open")
    assert bool(rendered.system) == (name in ("tagged", "open"))
    if not chat:
        assert rendered.text.endswith("Answer:")
    if form == "probability":
        assert '{"A": 0.5, "B": 0.5}' in rendered.text


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"format": "open"}, "only mwe has an open format, got benchmark 'mmlu'"),
        ({"chain_of_thought": True, "format": "probability"}, "got 'probability'"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"per_category": -1}, "per-category must be at least 1, got -1"),
        ({"shots": -1}, "shots must be at least 0, got -1"),
        ({"temperature": -0.1}, "temperature must be at least 0, got -0.1"),
        ({"top_p": 1.5}, "top-p must be above 0 and at most 1, got 1.5"),
        ({"chain_of_thought": True, "shots": 2}, "shots must be 0"),
        ({"contexts": 2}, "needs shots"),
        ({"reasoning_effort": "low", "thinking_budget": 5}, "not both"),
    ],
)
def test_settings_that_cannot_be(bad, said):
    with pytest.raises(ValueError, match=said):
        check_settings(run(**bad))


def test_presets_and_what_overrides_them():
    qwen = sampling_parameters(run(sampling="qwen3-thinking"))
    assert (qwen.temperature, qwen.top_k, qwen.top_p) == (0.6, 20, 0.95)
    assert sampling_parameters(run(sampling="qwen3-thinking", temperature=0.0)).temperature == 0.0
    assert sampling_parameters(run()) == (None, None, None, None, None)
    assert sampling_parameters(run(api="completions"))[3:] == (16, "\n\n")
    thought = sampling_parameters(run(api="completions", chain_of_thought=True))
    assert (thought.max_tokens, thought.stop) == (32_768, None)
    assert sampling_parameters(run(), offline=True).max_tokens == 32_768
    assert sampling_parameters(run(api="completions"), offline=True).max_tokens == 16
    assert sampling_parameters(run(max_tokens=9), offline=True).max_tokens == 9
    for name in SAMPLING_PRESETS:
        check_settings(run(sampling=name))


def test_limits_keep_the_first():
    assert chosen_questions(run(limit=3), CORPUS) == CORPUS[:3]
    both = chosen_questions(run(per_category=2, limit=3), CORPUS)
    assert [q.question_id for q in both] == ["anatomy/000", "anatomy/001", "virology/000"]


@pytest.mark.parametrize(
    ("more", "reply", "expected"),
    [
        ({}, Reply("Answer: B", None, "stop", 4), {"answer": "B", "output_tokens": 4}),
        ({}, Reply("<think>A? A!</think>\n(C)"), {"answer": "C", "reasoning": "A? A!"}),
        ({}, Reply("<think>A? A!</think>\n(C)"), {"text": "(C)", "reasoning_tokens": 2}),
        ({}, Reply("B", "Surely A", None, 9, 7), {"answer": "B", "reasoning_tokens": 7}),
        ({}, Reply("", None, "length", 64, 64), {"answer": "", "reasoning_tokens": 64}),
        ({"format": "probability"}, Reply(json.dumps(PROBS)), {"probs": PROBS}),
        ({"format": "probability"}, Reply("A: 0.7"), {"answer": ""}),
        (OPEN, Reply("Hm. <answer>No.</answer>"), {"answer": "", "open_answer": "No."}),
        ({"thinking_budget": 1024}, Reply("B"), {"budget": 1024}),
        ({}, Reply("so B is correct, but wait, maybe", None, "length"), {"answer": ""}),
        ({}, Reply("so it is.\nAnswer: B", None, "MAX_TOKENS"), {"answer": "B"}),
        ({}, Reply("so B is correct.", None, "stop"), {"answer": "B"}),
        ({"api": "completions"}, Reply(" B, because the", None, "length"), {"answer": "B"}),
        (OPEN, Reply("so yes, but wait, maybe", None, "length"), {"open_answer": ""}),
    ],
)  # fmt: skip
def test_replies_become_records(more, reply, expected):
    s = run(**more)
    ask = asks(s)[0]
    made = to_record(s, ask, 0, reply, lambda text: len(text.split()))
    assert expected == {name: made[name] for name in expected}
    parsed = Record.model_validate(made)
    assert parsed.seed == ask.seed and parsed.options == ["A", "B", "C", "D"]
    assert made["prompt"].endswith("@1")


def test_fields_of_the_benchmark_stay_with_the_record():
    marked = question(0, extra={"error_type": "ok", "correct_answer": "B"}, difficulty="hard")
    made = to_record(run(), asks(run(), [marked])[0], 0, Reply("A"))
    assert (made["error_type"], made["difficulty"], made["topic"]) == ("ok", "hard", "anatomy")


def record(sample, question_id="q", context=0, **more):
    return {"question_id": question_id, "context": context, "sample": sample} | more


def fill(path, records, s=None):
    file = RecordFile(path)
    with file.opened(s or {"model": "m", "samples": 2}, ("samples",)) as mended:
        file.append(records)
    return file, mended


def test_a_torn_line_is_cut_off_and_asked_again(tmp_path):
    path = tmp_path / "sub" / "r.jsonl"
    file, mended = fill(path, [record(0, text="ü" * 90_000), record(1)])
    assert mended is None and len(file) == 2
    whole = path.read_bytes()
    for torn in (
        b"{",
        b'{"question_id": "q", "context": 0, "sample": 2}',
        "{é".encode()[:-1],
        b"x" * 200_000,
    ):
        path.write_bytes(whole + torn)
        file, mended = fill(path, [record(1), record(2)])
        assert mended is not None and f"{len(torn)} bytes" in mended
        assert [json.loads(line)["sample"] for line in path.read_text().splitlines()] == [0, 1, 2]
        path.write_bytes(whole)
    path.write_bytes(whole[: len(whole) // 2])  # one line, and torn
    file, mended = fill(path, [])
    assert path.read_bytes() == b"" and mended is not None
    assert ("q", 0, 0) not in file


def test_a_line_ends_at_a_newline_alone(tmp_path):
    path, said = tmp_path / "r.jsonl", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\r\nh\ri"
    made = [
        to_record(run(**OPEN), asks(run(**OPEN))[0], i, Reply(f"{said} <answer>{said}</answer>"))
        for i in range(2)
    ]
    file, _ = fill(path, made)
    assert len(file) == 2
    read = read_records([path])
    assert read["text"].to_list() == [f"{said} <answer>{said}</answer>"] * 2
    embed_records(path, lambda texts: [[float(len(text))] for text in texts], lambda done, lines: None)
    with_rows, vectors = with_vectors(read, [path])
    assert with_rows["row"].to_list() == [0, 1] and vectors.tolist() == [[float(len(said))]] * 2
    assert fill(path, made)[1] is None and len(read_records([path])) == 2


def test_other_settings_on_the_same_file_are_refused(tmp_path):
    path = tmp_path / "r.jsonl"
    fill(path, [record(0)])
    fill(path, [record(1)], {"model": "m", "samples": 9})
    with pytest.raises(ValueError, match="other settings: model was 'm' and is 'n'"):
        fill(path, [], {"model": "n", "samples": 2})
    with pytest.raises(ValueError, match=r"top-p was None and is 0\.5"):
        fill(path, [], {"model": "m", "samples": 2, "top_p": 0.5})
    (tmp_path / "r.jsonl.settings.json").unlink()
    with pytest.raises(ValueError, match="not known what it came from"):
        fill(path, [])


def test_two_processes_do_not_write_to_one_file(tmp_path):
    path = tmp_path / "r.jsonl"
    said = f"is being written by process {os.getpid()} on "
    with RecordFile(path).opened({"a": 1}, ()), pytest.raises(ValueError, match=said):
        fill(path, [], {"a": 1})
    fill(path, [], {"a": 1})


def test_records_that_a_full_disk_refuses_leave_the_file_as_it_was(tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk / "r.jsonl"
        fill(path, [record(0)])
        before = path.read_bytes()
        file = RecordFile(path)
        with (
            pytest.raises(WriteFailedError, match=r"cannot write .*r\.jsonl: No space left on device"),
            file.opened({"model": "m", "samples": 2}, ("samples",)),
        ):
            file.append([record(1) | {"text": "x" * 100_000}])
        assert path.read_bytes() == before and len(file) == 1
        fill(path, [record(1)])
        assert len(path.read_text().splitlines()) == 2


def test_a_line_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    fill(path, [record(0)])
    with path.open("a") as stream:
        stream.write('{"question_id": "q"}\n')
    with pytest.raises(ValueError, match=r"r\.jsonl:2: no record"):
        fill(path, [])


def test_a_start_that_came_to_nothing_settles_nothing(tmp_path):
    path = tmp_path / "r.jsonl"
    fill(path, [], {"model": "m", "samples": 2})
    fill(path, [record(0)], {"model": "n", "samples": 2})
    with pytest.raises(ValueError, match="model was 'n' and is 'm'"):
        fill(path, [], {"model": "m", "samples": 2})
    fill(path, [record(1)], {"model": "n", "samples": 2, "no_seed": False})  # newer than the file


def test_what_is_found_out_stays_beside_the_settings(tmp_path):
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    with file.opened({"model": "m"}, ()):
        assert file.noted("endpoint") is None
        file.append([record(0)])
        file.note("endpoint", {"most_n": 1})
    again = RecordFile(path)
    with again.opened({"model": "m"}, ()):
        assert again.noted("endpoint") == {"most_n": 1}


def test_failures_are_those_of_samples_that_are_missing(tmp_path):
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    failure = {"question_id": "q", "context": 0, "samples": (0, 1), "reason": "HTTP 500"}
    with file.opened({"model": "m", "samples": 2}, ()):
        file.append_failure(failure)
        file.append_failure(failure | {"reason": "HTTP 400"})
        file.append([record(0)])
    (left,) = [json.loads(line) for line in file.failures_path.read_text().splitlines()]
    assert left["samples"] == [1] and left["reason"] == "HTTP 400" and left["time"].endswith("+00:00")
    fill(path, [record(1)])
    assert not file.failures_path.exists()


def test_a_lock_that_cannot_be_had_says_why(tmp_path):
    path = tmp_path / "r.jsonl"
    (tmp_path / "r.jsonl.lock").mkdir()
    with pytest.raises(ValueError, match=r"r\.jsonl\.lock cannot be locked: .*directory"):
        fill(path, [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_temperatures_that_are_no_numbers(value):
    with pytest.raises(ValueError, match="temperature must be at least 0, got"):
        check_settings(run(temperature=value))


def test_no_record_says_what_was_not_sent():
    s = run(temperature=0.6)
    ask = asks(s)[0]._replace(seed=None)
    made = to_record(s, ask, 0, Reply("<muse>A</muse>B"), dropped=("temperature",))
    assert "seed" not in made and "temperature" not in made and made["unknown_marks"] == ["<muse>"]
    assert made["request"] == 0 and (made["answer"], made["reasoning"]) == ("B", "A")
    assert "request" not in to_record(s, ask._replace(samples=(3,)), 3, Reply("B"))


@pytest.mark.parametrize(
    ("reason", "tokens", "cut"),
    [
        ("length", 3, True), ("MAX_TOKENS", None, True), ("FinishReason.MAX_TOKENS", None, True), ("stop", 60, False),
        (None, 50, True), (None, 49, False), (None, None, False), ('{"type": "length"}', None, True),
    ],
)  # fmt: skip
def test_what_was_cut(reason, tokens, cut):
    assert was_cut(reason, tokens, 50) is cut
    assert was_cut(reason, tokens, None) is (cut and reason is not None)


def sample(text="Answer: B", answer="B", **more):
    return {"question_id": "q", "context": 0, "text": text, "answer": answer} | more


def test_shares_of_a_file_are_counted_by_hand():
    records = [
        sample(finish_reason="length", output_tokens=60, budget=100, reasoning_tokens=120, reasoning="x", request=0),
        sample(output_tokens=10, budget=100, reasoning_tokens=90, request=0),
        sample(output_tokens=10, budget=100, request=2),
        sample(output_tokens=10, budget="low", request=2),
        sample("", "", unknown_marks=["<muse>"]),
        sample(probs={"A": 1.0}, answer=None),
        sample("Hm", ""),
        sample("Hm", "", open_answer="Hm", reasoning_tokens=5),
    ]  # fmt: skip
    found = tally_of(records, 50)
    assert (found.samples, found.empty, found.cut, found.unparsed) == (8, 1 / 8, 1 / 8, 2 / 8)
    # One of two requests: in the other the first sample reasoned.
    assert found.identical == 1 / 2 and found.over_budget == 1 / 2 and found.unreasoned == 2 / 4
    assert found.over_length == 1 / 4 and found.without_length == 3 / 8
    assert found.unknown_marks == ("<muse>",) and "12.5 % empty" in found.line()
    nothing = tally_of([], None)
    assert nothing.samples == 0 and nothing.empty is None and nothing.identical is None
    assert "budget" not in tally_of(records[4:], None).line()


def test_the_chance_of_equal_samples_is_that_of_all_orders():
    drawn = ["B", "B", "B", "A", "C", "B"]
    orders = list(itertools.permutations(drawn))
    equal = sum(len(set(order[:3])) == 1 for order in orders) / len(orders)
    assert chance_of_equal(3, drawn) == pytest.approx(equal)
    assert chance_of_equal(3, ["A", "B", "C", "A"]) == 0 and chance_of_equal(2, ["A"] * 5) == 1


@pytest.mark.parametrize(("shared", "sure"), [(True, 0.99), (False, 0.05)])
def test_one_seed_for_all_is_found_and_apart_seldom_mistaken(shared, sure):
    found = 0
    for trial in range(400):
        random_ = random.Random(trial)
        variety, verdict = Variety(), None
        while variety.open and verdict is None:
            p = random_.uniform(0.3, 1.0)  # a question's own
            drawn = [
                "B" if random_.random() < p else random_.choice("ACD")
                for _ in range(1 if shared else 3)
            ]
            together = drawn * 3 if shared else drawn
            if len(set(together)) > 1:
                variety.differ()
            else:
                alone = ["B" if random_.random() < p else random_.choice("ACD") for _ in range(2)]
                variety.same(together, alone)
                verdict = variety.verdict()
        found += verdict is not None
    assert found / 400 >= sure if shared else found / 400 <= sure


def test_what_a_run_would_ask_has_both_bounds():
    present = {(q.question_id, 0, 0) for q in CORPUS[:4]}
    found = plan(run(samples=3, max_tokens=10), CORPUS, present, None)
    assert (found.samples, found.present, found.requests) == (44, 4, (16, 44))
    assert found.reply_tokens == 440 and found.prompt_tokens[0] < found.prompt_tokens[1]
    text = asks(run(samples=3))[0].prompt
    assert found.prompt_tokens[0] == 16 * (len(text.text.encode()) + found.template_tokens)
    assert found.cost(1, 2.0, 5.0) == (found.prompt_tokens[1] * 2 + 440 * 5) / 1e6
    assert plan(run(samples=3), CORPUS, present, 1).requests == (44, 44)
    assert plan(run(samples=3), CORPUS, present, None).reply_tokens is None
    assert plan(run(samples=1), CORPUS[:4], present, None).example is None


def open_records(path, answers):
    path.write_text("".join(json.dumps({"open_answer": a}) + "\n" for a in answers))


def embedding(longest=60, most=256, asked=None):
    """A model that takes so many characters of a text, and so many texts."""

    def embed(texts):
        if asked is not None:
            asked.append(len(texts))
        if len(texts) > most or max(map(len, texts)) > longest:
            raise TextsRefusedError("too long")
        return [[float(len(text)), 1.0] for text in texts]

    return embed


@pytest.mark.parametrize("too_long", ["cut", "leave-out"])
def test_one_answer_that_is_too_long_does_not_end_the_embedding(tmp_path, too_long):
    path, answers = tmp_path / "r.jsonl", [*["short"] * 9, "long " * 40, "", *["short"] * 9]
    open_records(path, answers)
    found = embed_records(path, embedding(), lambda done, lines: None, too_long)
    cut = too_long == "cut"
    assert found == Embedded(19 if cut else 18, 1, int(cut), int(not cut))
    vectors = np.load(embeddings_path(path))
    assert np.isnan(vectors[10]).all() and np.isnan(vectors[9]).all() == (not cut)
    assert not cut or 60 * 0.8 <= vectors[9, 0] <= 60
    assert (np.delete(vectors, [9, 10], axis=0)[:, 0] == 5).all()


def test_batches_are_as_large_as_are_taken(tmp_path):
    asked = []
    open_records(tmp_path / "r.jsonl", ["short"] * 600)
    found = embed_records(tmp_path / "r.jsonl", embedding(60, 32, asked), lambda done, lines: None)
    assert found == Embedded(600, 0, 0, 0)
    assert sum(size > 32 for size in asked) <= 7 and max(asked[-10:]) == 32


def test_vectors_that_were_paid_for_are_kept(tmp_path):
    path, calls = tmp_path / "r.jsonl", []
    open_records(path, ["short"] * 600)

    def breaks(texts):
        calls.append(len(texts))
        if len(calls) == 3:
            raise OSError("away")
        return embedding()(texts)

    with pytest.raises(OSError, match="away"):
        embed_records(path, breaks, lambda done, lines: None)
    embed_records(path, breaks, lambda done, lines: None)
    assert calls == [256, 256, 88, 88]
    with pytest.raises(ValueError, match="refuses a text of 5 characters: no such model"):

        def never(texts):
            raise TextsRefusedError("no such model")

        open_records(tmp_path / "s.jsonl", ["short"])
        embed_records(tmp_path / "s.jsonl", never, lambda done, lines: None)


def test_vectors_of_every_form_are_read():
    def rows(*vectors, **more):
        return {"data": [{"embedding": v} | more for v in vectors]}

    packed = base64.b64encode(np.asarray([1.0, 2.5], "<f4").tobytes()).decode()
    assert read_vectors(rows([1, 2.5], packed), 2) == [[1, 2.5]] * 2
    swapped = {"data": [{"embedding": [2], "index": 1}, {"embedding": [1], "index": 0}]}
    assert read_vectors(swapped, 2) == [[1], [2]]
    assert read_vectors(rows([1], [2], index=None), 2) == [[1], [2]]
    for bad, said in (
        (rows([1], None), "vector 1 is None"),
        (rows([1, 2], [1]), r"lengths \[1, 2\]"),
        (rows(["x"], [1]), "vector 0"),
        (rows([float("nan")], [1]), "vector 0"),
        (rows("???", [1]), "vector 0"),
        (rows([[1]], [1]), "vector 0"),
    ):
        with pytest.raises(UnreadableReplyError, match=said):
            read_vectors(bad, 2)
    for fewer in (rows([1]), {"data": None}, {"data": ["x", "y"]}, [], rows([1], [2], index=0)):
        with pytest.raises(MalformedReplyError):
            read_vectors(fewer, 2)


@pytest.mark.parametrize(
    ("url", "vllm", "tokens", "effort", "fields"),
    [
        ("http://h/v1", True, 5, None, [{"thinking_token_budget": 5}]),
        ("https://openrouter.ai/api/v1", False, 5, None, [{"reasoning": {"max_tokens": 5}}]),
        ("https://api.anthropic.com/v1", False, 5, None, [{"thinking": {"type": "enabled", "budget_tokens": 5}}]),
        ("https://api.openai.com/v1", False, 5, None, []),
        ("https://api.openai.com/v1", False, None, "low", [{"reasoning_effort": "low"}]),
        ("https://dashscope.aliyuncs.com/v1", False, 5, None, [{"enable_thinking": True, "thinking_budget": 5}]),
        ("http://h/v1", False, None, None, []),
    ],
)  # fmt: skip
def test_where_a_budget_is_asked_for(url, vllm, tokens, effort, fields):
    assert budget_fields(url, vllm, tokens, effort) == fields
    assert len(budget_fields("http://h/v1", False, 5, None)) == 3


def test_processes_end_with_the_one_that_started_them(tmp_path):
    program = (
        "import subprocess, sys, time\n"
        "from hotmess_jax.llm.sampling.children import ending_with_this_process\n"
        "with ending_with_this_process():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "    time.sleep(60)\n"
    )
    for number in (signal.SIGKILL, signal.SIGTERM):
        parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        child = int((tmp_path / "pid").read_text())
        time.sleep(1.5)  # it is looked for now and then
        parent.send_signal(number)
        parent.wait()
        end = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and time.monotonic() < end:
            if "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[-1].split()[0]:
                break  # ended; nobody has asked how
            time.sleep(0.1)
        assert time.monotonic() < end
        (tmp_path / "pid").unlink()
