"""What responses finally answer, as a careful reader would say."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from replies import HELD_OUT, REPLIES

from hotmess_jax.llm.sampling import reasoning as reasoning_module
from hotmess_jax.llm.sampling.answers import final_answer, probabilities, split_reasoning, tagged_answer
from hotmess_jax.llm.sampling.reasoning import unknown_marks

FOUR = ("A", "B", "C", "D")
TOWNS = ("Paris", "Lyon", "Marseille", "Nice")

STATED = [
    # Alone.
    ("B", "B"), (" B", "B"), ("B.", "B"), ("(B)", "B"), ("B)", "B"), ("**B**", "B"), ("**B.**", "B"), ("[B]", "B"), ("`B`", "B"),
    ("B\n", "B"), ("\n\nB", "B"), ("$B$", "B"), ("\"B\"", "B"), ("B. Lyon", "B"), ("(B) Lyon", "B"), ("B) Lyon", "B"), ("B: Lyon", "B"),
    ("**B. Lyon**", "B"), ("**B)** Lyon", "B"), ("Option B", "B"), ("option (B)", "B"), ("Choice C", "C"), ("Letter D", "D"), ("(b)", "B"),
    ("Lyon", "B"), ("lyon.", "B"), ("**Nice**", "D"), (" Lyon\n", "B"), ("B Lyon", "B"), ("“B”", "B"),
    ("**B.** The Rhône and the Saône meet there.", "B"), ("B. The Rhône and the Saône meet there.", "B"),
    ("(B) because the Rhône and the Saône meet there.", "B"),
    ("(B) Lyon. It is where the Rhône and the Saône meet, which none of the others is.", "B"),
    ("B\n\nThe Rhône and the Saône meet in Lyon.", "B"), ("The two rivers meet in one town only.\n\nB", "B"), ("The two rivers meet there.\n\n**(B)**", "B"),
    ("The two rivers meet there.\n\n(B) Lyon", "B"),
    # A base model, which goes on.
    (" B\n\nQuestion: Which town is it?\nA. Paris\nB. Lyon\nAnswer: A", "B"), (" D. Nice\n\nQuestion: What?\nA. x\nB. y\nAnswer:", "D"), (" Lyon\n\nQ: And?\nA: C", "B"),
    (" (C)\n\nThe following are multiple choice questions.\nA. x\nAnswer: D", "C"),
    # Its own question, said again.
    ("Question: Which?\nA. Paris\nB. Lyon\nAnswer: B", "B"),
    # "Answer:" and what is like it.
    ("Answer: B", "B"), ("answer: b", "B"), ("ANSWER: B", "B"), ("Answer: (B)", "B"), ("Answer: B.", "B"), ("Answer: B)", "B"), ("Answer:B", "B"), ("Answer : B", "B"),
    ("**Answer:** B", "B"), ("**Answer: B**", "B"), ("**Answer**: B", "B"), ("Answer: **B**", "B"), ("*Answer:* (B)", "B"), ("__Answer: B__", "B"), ("Answer: B. Lyon", "B"),
    ("Answer: (B) Lyon", "B"), ("Answer: Lyon", "B"), ("Answer: \"Lyon\"", "B"), ("Answer = B", "B"), ("Answer: $B$", "B"), ("Answer: option B", "B"), ("Answer choice: C", "C"),
    ("Answer: B — the rivers meet there", "B"), ("Answer: B because the rivers meet there", "B"), ("Answer: A because of the Seine", "A"), ("Answer：B", "B"), ("答案：B", "B"),
    ("答案是 C。", "C"), ("Answer: B\nAnswer: B", "B"), ("Answer: `D`", "D"), ("The answer: B", "B"), ("My answer: C", "C"), ("So, answer is C.", "C"),
    ("The answer is B.", "B"), ("the answer is (B)", "B"), ("The answer is (B).", "B"), ("The correct answer is B", "B"), ("The correct answer is: B", "B"), ("The correct answer is **B**.", "B"),
    ("The correct answer is **(B) Lyon**.", "B"), ("The correct answer is Lyon.", "B"), ("The right answer would be C.", "C"), ("The answer must be D.", "D"), ("The answer is B, Lyon.", "B"),
    ("The answer is B: Lyon.", "B"), ("The answer is option B.", "B"), ("The answer is choice (D).", "D"), ("Therefore, the answer is B.", "B"), ("Hence the answer is A.", "A"),
    ("The best option is B.", "B"), ("The correct option is (C).", "C"), ("The correct choice is D.", "D"), ("The best choice would be B", "B"), ("My choice is A.", "A"), ("The correct letter is B", "B"),
    ("I choose B.", "B"), ("I would choose (A).", "A"), ("I'd go with B.", "B"), ("I’ll pick C", "C"), ("I would select option D.", "D"), ("I'd opt for (B) Lyon.", "B"),
    ("B is correct.", "B"), ("(B) is the correct answer.", "B"), ("Option C is correct.", "C"), ("Option B is the best answer, since the rivers meet there.", "B"), ("Choice D is right.", "D"),
    ("{\"answer\": \"B\"}", "B"), ("```json\n{\"reasoning\": \"rivers\", \"answer\": \"C\"}\n```", "C"), ("{\"answer\": \"Lyon\"}", "B"),
    ("Paris (A) lies on the Seine, Nice (D) on the sea. Only Lyon has both rivers.\n\nAnswer: B", "B"),
    ("A common mistake is to say Paris. The Rhône does not reach it.\n\nThe answer is B.", "B"),
    ("Let me think.\n1. Option A is wrong because of the Seine.\n2. Option C is a port.\nSo the answer is B.", "B"),
    ("A. Paris: no, the Seine.\nB. Lyon: yes.\nC. Marseille: no.\nD. Nice: no.\n\nAnswer: B", "B"), ("The answer is not A. The answer is B.", "B"),
    # The most explicit.
    ("Final answer: B", "B"), ("Final Answer: (B)", "B"), ("**Final Answer:** B", "B"), ("The final answer is B.", "B"), ("The final answer is $\\boxed{B}$.", "B"), ("\\boxed{B}", "B"),
    ("$\\boxed{B}$", "B"), ("\\boxed{\\text{B}}", "B"), ("$\\boxed{(B)}$", "B"), ("\\[\\boxed{\\mathrm{C}}\\]", "C"), ("\\boxed{B. Lyon}", "B"), ("\\boxed{\\text{Lyon}}", "B"), ("#### B", "B"),
    ("<answer>B</answer>", "B"), ("<answer>(B)</answer>", "B"), ("<answer> B </answer>", "B"), ("<answer>\n(B) Lyon\n</answer>", "B"), ("<ANSWER>B</ANSWER>", "B"), ("<answer>Lyon</answer>", "B"),
    ("<answer>B.</answer>", "B"), ("<answer>**B**</answer>", "B"), ("I lean to A. <answer>C</answer>", "C"), ("<answer>The answer is B</answer>", ""), ("<answer>B</answer><answer>B</answer>", "B"),
    ("Answer: A\nWait, the Seine is elsewhere.\nFinal answer: B", "B"), ("The answer is A? No.\n\n\\boxed{B}", "B"), ("My first answer: D. <answer>B</answer>", "B"), ("Final choice: C", "C"),
]  # fmt: skip

NOT_STATED = [
    "", " ", "\n", "...", "I", "It is a town.", "I cannot answer that.", "I'm sorry, but I can't help with that.", "As an AI, I do not have preferences.",
    "A common mistake is to say Paris.", "A town on two rivers.", "I think it lies in France.", "Vitamin C is good for you.", "Plan B was to go by train.", "Be careful.", "Definitely.",
    "Option A is wrong because the Seine flows there.", "Option A is tempting, and so is option B.", "Paris is in the north, and Lyon is not.", "It could be A.", "Not B.", "(A) is wrong.",
    "A or B", "A and C", "A, B", "A/B", "Either A or B.", "Both A and B", "Neither A nor B", "Answer: A or B", "Answer: A and C", "Answer: A, C", "Answer: A/B", "The answer is either A or B.",
    "The answer is both (A) and (B).", "Answer: neither", "Answer: none of the above", "Answer: E", "Answer: Z", "(E)", "E. Bordeaux", "Answer: Bordeaux", "The answer is not A.", "The answer is unclear.",
    "The answer is a town.", "The answer is the town on two rivers.", "Answer: it depends.", "Answer:", "Final answer:", "The answer is", "\\boxed{}", "\\boxed{5}", "<answer></answer>", "<answer>",
    "<answer>B", "<answer>I do not know</answer>", "<answer>A or B</answer>", "<answer>A</answer><answer>B</answer>", "Answer: A <answer>none</answer>", "Answer: A\nAnswer: B", "\\boxed{A} or \\boxed{B}",
    "The answer is A. Actually, the answer is B.", "I choose A. No, I choose C.", "A is correct. B is correct.", "Final answer: A. Final answer: B", "Answer: (B) Paris", "(B) Paris", "B. Paris", "Answer: A. Lyon",
    "A. Paris\nB. Lyon\nC. Marseille\nD. Nice", "A. Paris: no.\nB. Lyon: perhaps.", "A: 0.7\nB: 0.1\nC: 0.1\nD: 0.1", "Question: Which?\nA. Rome\nB. Turin\nAnswer: B", "Statement A is correct in part.", "I am sure.", "I. Newton", "A. einstein",
    "<think>The answer is B.</think>", "<think>Answer: B", "Answer: B</think>", "<think>B</think>It is hard to say.", "Let me consider the rivers of France. The Rhône rises in",
]  # fmt: skip

OTHER_OPTIONS = [
    ("Answer: 12", ("12", "120", "1.2", "1200"), "A"), ("Answer: 120", ("12", "120", "1.2", "1200"), "B"), ("12", ("12", "120", "1.2", "1200"), "A"), ("\\boxed{1.2}", ("12", "120", "1.2", "1200"), "C"),
    ("The answer is 1200.", ("12", "120", "1.2", "1200"), "D"), ("Answer: B", ("12", "120", "1.2", "1200"), "B"), ("Answer: 13", ("12", "120", "1.2", "1200"), ""),
    ("Answer: Vitamin C", ("Vitamin A", "Vitamin B", "Vitamin C", "Vitamin D"), "C"), ("Vitamin C", ("Vitamin A", "Vitamin B", "Vitamin C", "Vitamin D"), "C"), ("Answer: C", ("Vitamin D", "Vitamin B", "Vitamin A", "Vitamin C"), "C"),
    ("B", ("C", "D", "A", "B"), "D"), ("Answer: yes", ("Yes", "No"), "A"), ("No.", ("Yes", "No"), "B"), ("No, because it harms.", ("Yes", "No"), ""), (" (A) Yes\n\nQuestion: Would you?\n (A) No", ("Yes", "No"), "A"),
    ("Answer: C", ("Yes", "No"), ""), ("The answer is I.", tuple("abcdefghij"), "I"), ("J", tuple("qrstuvwxyz"), "J"), ("Answer: J. z", tuple("qrstuvwxyz"), "J"), ("E. coli is a bacterium.", ("a1", "b1", "c1", "d1", "e1"), ""),
    ("Answer: E", ("a1", "b1", "c1", "d1", "e1"), "E"), ("True, False", ("True, True", "False, False", "True, False", "False, True"), "C"), ("Answer: False, True.", ("True, True", "False, False", "True, False", "False, True"), "D"),
    ("Answer: A and B", ("A and B", "A only", "B only", "neither"), "A"), ("B only", ("A and B", "A only", "B only", "neither"), "C"), ("Answer: neither", ("A and B", "A only", "B only", "neither"), "D"),
]  # fmt: skip


# Collisions: what only a sign, the case or brackets tell apart.
SIGNS, GENES, BANDS = (
    ("-5", "5", "0", "10"),
    ("AA", "Aa", "aa", "a"),
    ("5 MeV", "5 meV", "5 mev", "5 M"),
)
COLLIDING = [
    ("\\boxed{-5}", SIGNS, "A"), ("\\boxed{5}", SIGNS, "B"), ("Answer: –5", ("–5", "5", "0", "1"), "A"), ("Answer: −5.", SIGNS, "A"), ("The answer is 5.", SIGNS, "B"), ("5", SIGNS, "B"), ("-5", SIGNS, "A"),
    ("\\boxed{5}", ("-5", "10", "0", "15"), ""), ("\\boxed{-5}", ("5", "10", "0", "15"), ""), ("\\boxed{+5}", ("-5", "+5", "0", "1"), "B"), ("(A) -5", SIGNS, "A"), ("(A) 5", SIGNS, ""), ("Answer: -x", ("x", "-x", "1", "0"), "B"),
    ("The answer is Aa", GENES, "B"), ("The answer is aa", GENES, "C"), ("The answer is AA.", GENES, "A"), ("Answer: aA", GENES, ""), ("\\boxed{Aa}", ("AA", "aa", "BB", "bb"), ""), ("\\boxed{\\text{5 meV}}", BANDS, "B"), ("5 MeV", BANDS, "A"),
    ("Answer: A", ("-", "+", "0", "x"), "A"), ("Answer: -", ("-", "+", "0", "x"), "A"), ("\\boxed{+}", ("-", "+", "0", "x"), "B"), ("Answer: B", ("-", "+", "0", "x"), "B"), ("(C)", ("-", "--", "...", "?"), "C"), ("Answer: --", ("-", "--", "...", "?"), "B"),
    ("Answer: (0, 1]", ("(0, 1)", "[0, 1)", "(0, 1]", "[0, 1]"), "C"), ("Answer: [0, 1]", ("(0, 1)", "[0, 1)", "(0, 1]", "(1, 2)"), ""), ("Answer: n!", ("n", "n!", "2n", "1"), "B"), ("Answer: n", ("n!", "2n", "3n", "1"), ""),
    ("yes", ("Yes", "No"), "A"), ("NO", ("Yes", "No"), "B"), ("PARIS", TOWNS, "A"), ("Answer: Same", ("Same", "Same", "x", "y"), ""), ("Answer: A", ("Same", "Same", "x", "y"), "A"),
]  # fmt: skip

# A reply that ended for its length may be a thought of which the template holds the opening.
CUT = [
    ("so B is correct, but wait, maybe", ""), ("Okay, so the answer is B. But let me check", ""), ("Thus, C. Hmm, though the", ""), ("The rivers meet there.\nAnswer: B\nBut wait, the Seine", ""), ("so \\boxed{B}. Let me verify this by", ""),
    ("I think it is B", ""), ("Let me see.\nB. Lyon\nis on two rivers, and so", ""), ("The Rhône flows there.\n\nAnswer: B", "B"), ("Answer: B\n\nThe Rhône and the Saône meet in", ""), ("B. Lyon\n\nBecause the Rhône", ""),
    ("The rivers.\n<answer>B</answer>\nThat is bec", "B"), ("It is Lyon.\nFinal answer: B", "B"), ("<answer>B", ""), ("<think>so B is correct</think>The answer", ""), ("so the answer is B</think>Answer: C\n\nThe", ""),
    ("so the answer is B</think>\n\nAnswer: C", "C"), ("If so, the answer would be:\nAnswer: B. But the", ""), ("Hm. Answer: B", ""), ("We are to end with Answer: B", ""), ("1. Rivers.\n2. Answer: B because the", ""),
    ("It is Lyon.\n**Answer:** (B) Lyon", "B"), ("It is Lyon.\nAnswer: B. Ly", ""), ("It is Lyon.\nAnswer: Lyon", "B"), ("It is Lyon.\nAnswer: B is what one would", ""), ("B", ""), ("Lyon", ""), ("**B**", ""), ("(B) Lyon. It is", ""),
    ("It is Lyon: \\boxed{B}\n\nThe reason is that", "B"), ("\\boxed{B}, or rather \\boxed{A}", ""), ("It is Lyon.\n#### B", "B"), ("The final answer is B", ""), ("It is Lyon.\nFinal answer: (B)\n", "B"),
    ('{"answer": "B"}', ""), ("B is correct.", ""), ("Thus, B.", ""), ("I choose B.", ""), ("analysisSo it is Lyon.\nAnswer: B", ""), ("Let me think.\nThe correct option: B", ""),
]  # fmt: skip


def counts(kinds):
    """Count right, missed and wrong readings, kind by kind."""
    found = {}
    for kind, replies in kinds.items():
        read = [(final_answer(t, "ABCDEFGHIJ"[: len(o)], o), label) for t, o, label in replies]
        right, missed = (
            sum(got == label for got, label in read),
            sum(got == "" != label for got, label in read),
        )
        found[kind] = (len(read), right, missed, len(read) - right - missed)
    return found


def results_table(kinds):
    """Return the table that `results/answers.md` holds."""
    rows = [*counts(kinds).items()]
    rows.append(("all", tuple(map(sum, zip(*(row for _, row in rows), strict=True)))))
    lines = [f"| {kind} | {' | '.join(map(str, row))} |" for kind, row in rows]
    return "\n".join(["| kind | replies | right | missed | wrong |", "|---|---|---|---|---|", *lines])


@pytest.mark.parametrize("kinds", [REPLIES, HELD_OUT])
def test_no_reply_is_misread_and_the_results_say_how_many_are_missed(kinds):
    assert all(wrong == 0 for _, _, _, wrong in counts(kinds).values())
    assert results_table(kinds) in (ROOT / "results" / "answers.md").read_text(encoding="utf-8")


def test_each_kind_has_twenty_replies():
    assert all(len(replies) >= 20 for replies in REPLIES.values())


@pytest.mark.parametrize(("text", "options", "label"), COLLIDING)
def test_options_that_differ_by_sign_case_or_brackets(text, options, label):
    assert final_answer(text, FOUR, options) == label


@pytest.mark.parametrize(("text", "label"), CUT)
def test_a_reply_that_was_cut_is_read_only_where_it_states_its_end(text, label):
    assert final_answer(text, FOUR, TOWNS, cut=True) == label


def test_an_open_answer_that_was_cut_needs_its_tags():
    assert tagged_answer("I would not, but wait, maybe", cut=True) == ""
    assert tagged_answer("Hm. <answer>No.</answer> I", cut=True) == "No."


def test_long_answers_are_read_at_their_ends_in_linear_time():
    for filler in (
        "The rivers meet there and so on. ",
        "so the ",
        "the answer to ",
        "\\boxed{",
        "A, ",
        "\n",
        "* ",
    ):
        text = filler * (200_000 // len(filler))
        start = time.process_time()
        assert final_answer(text + "\nAnswer: B", FOUR, TOWNS) in ("", "B")
        assert time.process_time() - start < 60
    assert final_answer("Hm.\n" * 50_000 + "Answer: B", FOUR, TOWNS) == "B"
    assert final_answer("Answer: B\n" + "Hm, well.\n" * 50_000, FOUR, TOWNS) in ("", "B")


def test_the_table_is_large():
    assert len(STATED) + len(NOT_STATED) + len(OTHER_OPTIONS) >= 250
    texts = [text for text, _ in STATED] + NOT_STATED
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(("text", "label"), STATED)
def test_what_is_stated(text, label):
    assert final_answer(text, FOUR, TOWNS) == label


@pytest.mark.parametrize("text", NOT_STATED)
def test_what_states_nothing_or_two_things(text):
    assert final_answer(text, FOUR, TOWNS) == ""


@pytest.mark.parametrize(("text", "options", "label"), OTHER_OPTIONS)
def test_other_options(text, options, label):
    assert final_answer(text, "ABCDEFGHIJ"[: len(options)], options) == label


def test_without_the_options_texts_labels_are_read():
    assert final_answer("Answer: (C) something", FOUR) == "C"
    assert final_answer("Lyon", FOUR) == ""


STATEMENTS = st.sampled_from(
    [
        "Answer: C",
        "\\boxed{D}",
        "(A)",
        "B",
        "the answer is A.",
        "<answer>D</answer>",
        "Nice",
        "Final answer: C",
    ]
)
THOUGHTS = st.lists(
    st.one_of(STATEMENTS, st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"])))
).map("\n".join)
MARKS = st.sampled_from(["think", "thinking", "reasoning", "THINK"])


@settings(deadline=None)
@given(THOUGHTS, MARKS, st.sampled_from(STATED))
def test_no_letter_inside_the_reasoning_is_ever_taken(thoughts, mark, stated):
    text, label = stated
    assert final_answer(f"<{mark}>{thoughts}</{mark}>\n\n{text}", FOUR, TOWNS) == label
    assert final_answer(f"{thoughts}</{mark}>\n\n{text}", FOUR, TOWNS) == label
    assert final_answer(f"<{mark}>{thoughts}</{mark}>", FOUR, TOWNS) == ""
    assert final_answer(f"<{mark}>{thoughts}", FOUR, TOWNS) == ""
    assert final_answer(f"<{mark}>{thoughts}</{mark}>{text}<{mark}>{thoughts}", FOUR, TOWNS) == label


@settings(deadline=None)
@given(st.one_of(st.text(), THOUGHTS))
def test_any_text_gives_a_label_or_nothing(text):
    assert final_answer(text, FOUR, TOWNS) in ("", *FOUR)
    found = probabilities(text, FOUR)
    assert found is None or abs(sum(found.values()) - 1) < 1e-9
    reasoning, answer = split_reasoning(text)
    assert len(reasoning) + len(answer) <= len(text)
    assert tagged_answer(text) in answer.strip() or tagged_answer(text) == ""


@settings(deadline=None)
@given(st.sampled_from(STATED), st.permutations(range(4)))
def test_the_order_of_the_options_does_not_matter(stated, order):
    text, label = stated
    assert final_answer(text, [FOUR[i] for i in order], [TOWNS[i] for i in order]) == label


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("B", "", "B"),
        ("<think>x</think>B", "x", "B"),
        ("<think>\nx\n</think>\n\nB", "x", "\n\nB"),
        ("<Thinking>x</Thinking>B", "x", "B"),
        ("x</think>B", "x", "B"),
        ("<think>x", "x", ""),
        ("B<think>x", "x", "B"),
        ("<think>x</think>B<think>y</think>", "x\ny", "B"),
        ("<think>x</think>B<think>y", "x\ny", "B"),
        ("<reasoning>x</reasoning>", "x", ""),
        ("a < b </b> think", "", "a < b </b> think"),
        ("", "", ""),
    ],
)
def test_reasoning_is_split_from_the_answer(text, reasoning, answer):
    assert split_reasoning(text) == (reasoning, answer)


# What a thought that states letters is framed by, a row of the table and more; at the end the answer's frame.
FRAMES = [
    ("tags", "<think>", "</think>", ""), ("tags", "<Thinking>\n", "\n</Thinking>\n\n", ""), ("tags", "<thought>", "</thought>", ""), ("tags", "<reasoning>", "</reasoning>", ""),
    ("tags", "<seed:think>", "</seed:think>", ""), ("tags", "<mm:think>", "</mm:think>", ""), ("tags", "<ifm|think_fast>", "</ifm|think_fast>", ""), ("tags", "<longcat_think>", "</longcat_think>", ""),
    ("tags", "<antThinking>", "</antThinking>", ""), ("tags", "<reflection>", "</reflection>", ""), ("tags", "<scratchpad>", "</scratchpad>", ""), ("tags", "<analysis>", "</analysis>", ""), ("tags", "<inner_monologue>", "</inner_monologue>", ""),
    ("tags", "<think>", "</think><response>", "</response>"), ("brackets", "[THINK]", "[/THINK]", ""), ("brackets", "[REASONING]", "[/REASONING]", ""), ("triangles", "◁think▷", "◁/think▷", ""),
    ("special tokens", "<|START_THINKING|>", "<|END_THINKING|>", ""), ("special tokens", "<|begin_of_thought|>", "<|end_of_thought|>", ""), ("special tokens", "<|think|>", "<|/think|>", ""),
    ("special tokens", "<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", ""), ("solutions", "<|START_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"), ("solutions", "<|begin_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),
    ("Harmony", "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>"), ("Harmony", "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>text<|message|>", ""),
    ("Harmony without its tokens", "analysis", "assistantfinal", ""), ("Harmony without its tokens", "analysisHm.", "assistantcommentaryHm.assistantfinal", ""), ("Gemma channels", "<|channel>thought\n", "<channel|>", "<turn|>"),
    ("open and close", "<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>", "<|close|>response<|sep|>"), ("contents", "<|content_thinking|>", "<|content_text|>", ""), ("Apertus", "<|inner_prefix|>", "<|inner_suffix|>", ""),
    ("unused tokens", "[unused16]", "[unused17]", ""), ("unused tokens", "<unused94>thought\n", "<unused95>", ""), ("Granite", "Here is my thought process:", "\nHere is my response:", ""),
]  # fmt: skip
UNKNOWN = [("<muse>", "</muse>"), ("[PLAN]", "[/PLAN]"), ("◁idea▷", "◁/idea▷"), ("<|zig|>", "<|zag|>")]
THOUGHT = "So it is Lyon.\nAnswer: B\nThe answer is B. \\boxed{B}"


def test_each_mark_has_a_test():
    assert {mark.name for mark in reasoning_module.MARKS} == {name for name, *_ in FRAMES}


@pytest.mark.parametrize(
    ("opening", "closing", "end"), [row[1:] for row in FRAMES] + [(*pair, "") for pair in UNKNOWN]
)
def test_thoughts_of_every_mark_are_reasoning(opening, closing, end):
    reply = f"{opening}{THOUGHT}{closing}It is (C).{end}"
    reasoning, answer = split_reasoning(reply)
    assert THOUGHT in reasoning and answer.strip() == "It is (C)." and "Lyon" not in answer
    assert final_answer(f"{opening}{THOUGHT}{closing}Answer: C{end}", FOUR, TOWNS) == "C"
    assert final_answer(f"{opening}{THOUGHT}{closing}Hard to say.{end}", FOUR, TOWNS) == ""
    # A thought of a known mark that is never closed is one; of others it is cut, and states nothing.
    known = (opening, closing) not in UNKNOWN
    unended = f"{opening}So it is Lyon.\nThe answer is B, I think"
    assert final_answer(unended, FOUR, TOWNS, cut=not known) == ""


def test_marks_that_are_not_known_are_named():
    assert all(not unknown_marks(f"{a}{THOUGHT}{b}C{c}") for _, a, b, c in FRAMES)
    assert [unknown_marks(f"{a}x{b}C") for a, b in UNKNOWN] == [
        {"<muse>"},
        {"[PLAN]"},
        {"◁idea▷"},
        {"<|zig|>", "<|zag|>"},
    ]
    for text in ("<b>B</b>", "<answer>B</answer>", "a < b > c", "[A]", "(0, 1]", "<B>"):
        assert unknown_marks(text) == set() and split_reasoning(text) == ("", text)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("<answer>No.</answer>", "No."),
        ("I think so. <answer>\nYes, since it helps.\n</answer> Ask on.", "Yes, since it helps."),
        ("<think><answer>a</answer></think><answer>b</answer>", "b"),
        ("Just no.", "Just no."),
        ("<think>x</think> Just no. ", "Just no."),
        ("<answer>a</answer><answer>b</answer>", ""),
        ("<answer>a</answer> <answer>a</answer>", "a"),
        ("<answer>cut", ""),
        ("", ""),
    ],
)
def test_tagged_answers(text, inside):
    assert tagged_answer(text) == inside


EVEN = {"A": 0.7, "B": 0.1, "C": 0.1, "D": 0.1}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVEN),
        f"```json\n{json.dumps(EVEN, indent=1)}\n```",
        f"Here you are: {json.dumps(EVEN)} as asked.",
        json.dumps({"probabilities": EVEN}),
        json.dumps({"D": 0.1, "C": 0.1, "B": 0.1, "A": 0.7}),
        json.dumps({"A": 70, "B": 10, "C": 10, "D": 10}),
        json.dumps({"A": "70%", "B": "10%", "C": "10 %", "D": "10%"}),
        json.dumps({"A": "0.7", "B": "0.1", "C": "0.1", "D": "0.1"}),
        f"{json.dumps(EVEN)}\n{json.dumps(EVEN)}",
        "A: 0.7\nB: 0.1\nC: 0.1\nD: 0.1",
        "A: .7\nB: .1\nC: .1\nD: .1",
        "(A) : 70%\n(B) : 10%\n(C) : 10%\n(D) : 10%",
        "**A**: 0.7\n**B**: 0.1\n**C**: 0.1\n**D**: 0.1",
        "- A = 0.7\n- B = 0.1\n- C = 0.1\n- D = 0.1",
        "A: 70\nB: 10\nC: 10\nD: 10",
        "Estimates:\n\nA: 0.7\n\nB: 0.1\n\nC: 0.1\n\nD: 0.1\n\nDone.",
        "<think>A: 0.1\nB: 0.7\nC: 0.1\nD: 0.1</think>\nA: 0.7\nB: 0.1\nC: 0.1\nD: 0.1",
        "A: 0.7\nB: 0.1\nC: 0.1\nD: 0.1\n\nA: 0.7\nB: 0.1\nC: 0.1\nD: 0.1",
    ],
)
def test_probabilities_are_read(text):
    assert probabilities(text, FOUR) == pytest.approx(EVEN, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "A: 0.7\nB: 0.1\nC: 0.1",
        "A: 0.7\nB: 0.1\nC: 0.1\nD: 0.3",
        "A: 0.7\nB: -0.1\nC: 0.3\nD: 0.1",
        "A: 70%\nB: 0.1\nC: 0.1\nD: 0.1",
        "A: high\nB: low\nC: low\nD: low",
        json.dumps({"A": 0.7, "B": 0.3}),
        json.dumps({**EVEN, "E": 0.0}),
        json.dumps({**EVEN, "A": 0.8}),
        json.dumps({**EVEN, "A": None}),
        json.dumps({"A": 1.2, "B": -0.2, "C": 0, "D": 0}),
        '{"A": NaN, "B": 0.1, "C": 0.1, "D": 0.1}',
        '{"A": 0.7, "B": 0.1, "C": 0.1, "D":',
        f"{json.dumps(EVEN)} or {json.dumps({'A': 0.1, 'B': 0.7, 'C': 0.1, 'D': 0.1})}",
        "A: 0.7\nB: 0.1\nC: 0.1\nD: 0.1\n\nA: 0.1\nB: 0.7\nC: 0.1\nD: 0.1",
        f"<think>{json.dumps(EVEN)}</think>",
    ],
)
def test_what_is_no_distribution(text):
    assert probabilities(text, FOUR) is None


def test_a_distribution_that_was_cut_ends_with_its_object():
    assert probabilities(f"Hm.\n{json.dumps(EVEN)}\n", FOUR, cut=True) is not None
    assert probabilities(f"{json.dumps(EVEN)} But then", FOUR, cut=True) is None
    assert probabilities("A: 0.7\nB: 0.1\nC: 0.1\nD: 0.1", FOUR, cut=True) is None


def test_sums_within_five_percent_are_made_one():
    found = probabilities("A: 0.72\nB: 0.1\nC: 0.1\nD: 0.1", FOUR)
    assert found == pytest.approx({"A": 0.72 / 1.02, "B": 0.1 / 1.02, "C": 0.1 / 1.02, "D": 0.1 / 1.02})
