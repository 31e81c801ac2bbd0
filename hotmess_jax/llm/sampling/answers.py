"""What a response finally answers: only what it states, never a letter out of its reasoning."""

import re
from collections.abc import Sequence

from hotmess_jax.llm.sampling.answer_options import Options, plain
from hotmess_jax.llm.sampling.answer_probabilities import probabilities
from hotmess_jax.llm.sampling.answer_statements import (
    Kind,
    Statement,
    asked_for,
    corrected_from,
    cut_tag,
    statements,
    tagged,
    taken_back,
)
from hotmess_jax.llm.sampling.reasoning import split_reasoning

__all__ = ["final_answer", "probabilities", "split_reasoning", "tagged_answer"]

# A base model goes on with another question; a reply may also begin with the one that it was asked.
_QUESTION = re.compile(r"(?:^|\n)\s*(?:(Question\s*\d*\s*:)|Q\s*\d*\s*[:.]|The following are\b)")
# Of a longer answer only the beginning and the end are read: what is final stands there.
_READ_FIRST, _READ_LAST = 2_000, 10_000
_OPTION_LINE = re.compile(r"^\W*([A-Z])[).:]\s*(\S[^\n]*)$", re.MULTILINE)


def tagged_answer(text: str, cut: bool = False) -> str:
    """Return what stands in a response's answer tags, all of its answer where there are none.

    Args:
        text: the response, thinking blocks and all; they are not read.
        cut: whether it ended for its length: then only closed tags hold an answer.

    Returns:
        The answer; "" where tags disagree or are not closed, and the last was not said to correct them.
    """
    answer = split_reasoning(text)[1]
    found = tagged(answer)
    if found:
        corrected = corrected_from(answer)
        inside = {said for start, _, said in found if start >= corrected} or {found[-1][2]}
        return inside.pop() if len(inside) == 1 else ""
    return "" if cut or re.search(r"<answer>", answer, re.IGNORECASE) else answer.strip()


def final_answer(
    text: str, labels: Sequence[str], options: Sequence[str] = (), cut: bool = False
) -> str:
    """Return the label of the final answer that a response states.

    What is stated most explicitly counts (`answer_statements.Kind`), but for an asked-for last line, which
    counts before boxes, and a last line that corrects what was said, which counts before all.

    Args:
        text: the response, thinking blocks and all; they are not read.
        labels: of the options, single capital letters.
        options: their texts in the same order, if known.
        cut: whether it ended for its length: then it may be a thought whose opening is not seen, and only
            tags, a box and a last line that is nothing but the answer ("Answer: B") are read.

    Returns:
        A label; "" where none is stated, it is taken back, or two are that differ.
    """
    read = Options(labels, options)
    answer = _own_question(_ends(plain(split_reasoning(text)[1])), read)
    if cut_tag(answer):
        return ""
    stated = statements(answer, read)
    if cut:
        stated = [statement for statement in stated if _stands_if_cut(answer, statement, read)]
    corrected = [statement for statement in stated if statement.start >= corrected_from(answer)]
    stated = corrected or stated
    if not stated:
        return ""
    last_line = answer.rstrip().rfind("\n") + 1
    asked = any(s.kind is Kind.LINE and s.start >= last_line for s in stated)
    order = (Kind.TAG, Kind.LINE, *Kind) if asked else tuple(Kind)
    kind = min((statement.kind for statement in stated), key=order.index)
    found = {statement.label for statement in stated if statement.kind is kind}
    label = found.pop() if len(found) == 1 else ""
    ends = max((s.end for s in stated if s.label == label), default=0)
    return "" if taken_back(answer, ends) else label


def _stands_if_cut(answer: str, statement: Statement, options: Options) -> bool:
    """Tell whether a statement is final though the reply goes on: in tags, a box, or the whole last line."""
    if statement.kind is Kind.TAG or answer.startswith(("\\boxed", "\\fboxed"), statement.start):
        return True
    line = answer.rstrip().rfind("\n") + 1
    if not asked_for(answer, statement) or re.search(r"\w", answer[line : statement.start]):
        return False
    return statement.start >= line and options.whole(answer[statement.end :]) == statement.label


def _ends(answer: str) -> str:
    """Return the first and last lines of a long answer."""
    if len(answer) <= _READ_FIRST + _READ_LAST:
        return answer
    first, last = answer[:_READ_FIRST].rpartition("\n")[0], answer[-_READ_LAST:].partition("\n")[2]
    return f"{first}\n…\n{last}"


def _own_question(answer: str, options: Options) -> str:
    """Return a reply without another question that it goes on with, "" where it begins with one."""
    for match in _QUESTION.finditer(answer):
        if answer[: match.start()].strip():
            return answer[: match.start()]
        restated = [
            (label, text) for label, text in _OPTION_LINE.findall(answer) if label in options.labels
        ]
        if not match[1] or any(options.option(text) != label for label, text in restated):
            return ""
    return answer
