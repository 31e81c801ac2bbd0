"""What a response finally answers: only what it states, never a letter out of its reasoning."""

import json
import math
import re
from collections.abc import Iterator, Sequence

# Models mark their thinking so; some templates open the block themselves, and only its end is seen.
_OPENING = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_CLOSING = re.compile(r"</(think|thinking|reasoning)>", re.IGNORECASE)
_BLOCK = re.compile(r"<(think|thinking|reasoning)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)

_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_TAG_OPENING = re.compile(r"<answer>", re.IGNORECASE)
_IS = r"(?:\s+(?:is|would\s+be|must\s+be|should\s+be|has\s+to\s+be)\b|\s*[:：=])\s*[:：]?\s*"
_BOXED = r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
# The rest of the line, which is not used up: another statement may follow on it.
_REST = r"(?=(.+))"
# How models frame what they answer, the most explicit kind first.
_FRAMES = [
    [
        re.compile(_BOXED),
        re.compile(rf"\bfinal\s+(?:answer|choice){_IS}{_REST}", re.IGNORECASE),
        re.compile(rf"^\s*####\s*{_REST}", re.MULTILINE),
    ],
    [
        re.compile(rf"\banswer(?:\s+(?:choice|option|letter))?{_IS}{_REST}", re.IGNORECASE),
        re.compile(
            rf"\b(?:correct|right|best|my)\s+(?:option|choice|letter){_IS}{_REST}", re.IGNORECASE
        ),
        re.compile(
            r"\bI(?:['’]d|['’]ll|\s+would|\s+will)?\s+(?:choose|pick|select|go\s+with|opt\s+for)\s+"
            + _REST
        ),
        re.compile(r"\"(?:final_)?answer\"\s*:\s*(\"[^\"]*\")", re.IGNORECASE),
        re.compile(rf"答案(?:是|为)?\s*[:：]?\s*{_REST}"),
    ],
]
# "B is correct", "(B) is the right answer".
_IS_RIGHT = re.compile(
    r"(?<![\w-])(?<!statement )(?:option\s+|choice\s+)?\(?([A-Z])\)?\s+(?:is|seems|must\s+be)\s+"
    r"(?:the\s+)?(?:most\s+)?(?:correct|right|best)\b(?:\s+(?:answer|option|choice)\b)?",
    re.IGNORECASE,
)
# "(A) is wrong" is about an option, and states none.
_ABOUT = re.compile(r"\s*(?:is|was|seems|looks|would|could|might|may|can|cannot|does|has|isn['’]t)\b")
# A base model goes on with another question.
_NEXT_QUESTION = re.compile(r"\n\s*(?:Question\s*\d*\s*:|Q\s*\d*\s*[:.]|The following are\b)")
_PREFIX = re.compile(
    r"(?:the\s+)?(?:(?:option|choice|answer|letter)\s*[:：]?\s+)(?=\(?[A-Za-z]\b)", re.I
)
_LABEL = re.compile(
    r"(?P<open>[(\[]?)(?P<letter>[A-Za-z])(?P<close>[)\]]?)(?![\w'’])(?P<rest>.*)", re.DOTALL
)
# "A or B", "A and C", "A/B", "A, B".
_ANOTHER = re.compile(
    r"\s*(?:,|/|&|\bor\b|\band\b|,\s*(?:or|and)\b)\s*(?:option\s+)?\(?([A-Za-z])\)?(?![\w'’])"
)
_EITHER = re.compile(r"(?:either|both|between|neither)\b", re.IGNORECASE)
# After "A", which is an article too, only these go on with a sentence about option A.
_GOES_ON = re.compile(
    r"\s+(?:because|since|as|for|given|due|which|is|based|with|—|–|-)(?!\w)", re.IGNORECASE
)

_PROBABILITY_LINE = re.compile(
    r"^\W*\(?([A-Z])\)?\W*?\s*[:=：]\s*\**\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE]-?\d+)?)\s*(%?)[\s*,.;]*$"
)
PROBABILITY_TOLERANCE = 0.05


def split_reasoning(text: str) -> tuple[str, str]:
    """Return a response's reasoning, from its thinking blocks, and its answer, which is the rest.

    A block that is never closed goes on to the end; one that was never opened began at the beginning.
    """
    reasoning = [block[2] for block in _BLOCK.finditer(text)]
    rest = _BLOCK.sub("", text)
    if (closing := list(_CLOSING.finditer(rest))) and not _OPENING.search(rest, 0, closing[-1].start()):
        reasoning.insert(0, rest[: closing[-1].start()])
        rest = rest[closing[-1].end() :]
    if opening := _OPENING.search(rest):
        reasoning.append(rest[opening.end() :])
        rest = rest[: opening.start()]
    return "\n".join(part.strip() for part in reasoning), rest


def tagged_answer(text: str) -> str:
    """Return what stands in a response's answer tags, all of its answer where there are none.

    It is "" where tags disagree or are not closed.
    """
    answer = split_reasoning(text)[1]
    found = {inside.strip() for inside in _TAG.findall(answer)}
    if found:
        return found.pop() if len(found) == 1 else ""
    return "" if _TAG_OPENING.search(answer) else answer.strip()


def final_answer(text: str, labels: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return the label of the final answer that a response states.

    What is stated most explicitly counts: answer tags, boxes and "final answer", before "the answer is"
    and the like, before a label or an option that stands alone.

    Args:
        text: the response, thinking blocks and all; they are not read.
        labels: of the options, single capital letters.
        options: their texts in the same order, if known.

    Returns:
        A label; "" where none is stated, or two that differ.
    """
    answer = split_reasoning(text)[1]
    reader = _Reader(labels, options)
    if _TAG_OPENING.search(answer):
        stated = {reader.read(_plain(inside)) for inside in _TAG.findall(answer)}
        return stated.pop() or "" if len(stated) == 1 else ""
    answer = _NEXT_QUESTION.split("\n" + _plain(answer))[0]
    for frames in _FRAMES:
        stated = set()
        for frame in frames:
            stated |= {reader.read(content) for content in frame.findall(answer)}
        if frames is _FRAMES[-1]:
            stated |= {found for found in map(reader.label, _IS_RIGHT.findall(answer)) if found}
        # What is no answer ("the answer is the sum of …") states nothing; what is two, states two.
        stated.discard(None)
        if stated:
            return stated.pop() or "" if len(stated) == 1 else ""
    return reader.alone(answer)


class _Reader:
    """Reads labels and options out of what a frame holds."""

    def __init__(self, labels: Sequence[str], options: Sequence[str]) -> None:
        self.labels = list(labels)
        self.options = {_comparable(text): label for label, text in zip(labels, options, strict=False)}

    def label(self, letter: str) -> str | None:
        """Return the label that a letter is, None if it is none."""
        return letter.upper() if letter.upper() in self.labels else None

    def read(self, content: str) -> str | None:
        """Return the stated label, "" where several are or it is contradicted, None for none."""
        content = _bare(content)
        if option := self.options.get(_comparable(content)):
            return option
        if _EITHER.match(content):
            return ""
        content = _PREFIX.sub("", content, count=1)
        found = _LABEL.match(content)
        label = self.label(found["letter"]) if found else None
        if found is None or label is None:
            return None
        rest, closed = found["rest"], bool(found["close"])
        if other := _ANOTHER.match(rest):
            return "" if self.label(other[1]) else label
        words = _comparable(rest)
        if words in self.options:
            return label if self.options[words] == label else ""
        if not words or closed:
            return label
        if found["letter"].islower():
            return None
        if rest[0] in ".:,;)]-–—\n" or _GOES_ON.match(rest) or found["letter"] not in "AI":
            return label
        return None

    def alone(self, answer: str) -> str:
        """Return the label or option that stands alone, at the beginning or at the end."""
        lines = [line for line in answer.splitlines() if line.strip()]
        if not lines:
            return ""
        if option := self.options.get(_comparable(_bare(lines[0]))):
            return option
        stated = [
            (i, label) for i, line in enumerate(lines) if (label := self._of_line(line)) is not None
        ]
        # Lines that begin with different labels go through the options.
        if len({label for _, label in stated}) != 1:
            return ""
        return stated[0][1] if {stated[0][0], stated[-1][0]} & {0, len(lines) - 1} else ""

    def _of_line(self, line: str) -> str | None:
        line = _PREFIX.sub("", _bare(line), count=1)
        found = _LABEL.match(line)
        if found is None or self.label(found["letter"]) is None:
            return None
        rest, closed = found["rest"], bool(found["close"])
        words = _comparable(rest)
        marked = closed or rest[:1] in (".", ":")
        if found["letter"].islower() and not (found["open"] and closed):
            return None
        if words and words not in self.options and (not marked or _ABOUT.match(rest)):
            return None
        # "E. coli", "B. subtilis": no label.
        if words and words not in self.options and not closed and rest[1:].lstrip()[:1].islower():
            return None
        return self.read(line)


def probabilities(text: str, labels: Sequence[str]) -> dict[str, float] | None:
    """Return the distribution over the options that a response estimates.

    Args:
        text: the response; thinking blocks are not read.
        labels: of the options.

    Returns:
        A probability of each label, from a JSON object or lines such as "A: 0.7" or "(A) 70 %", made
        to sum to 1 where it did within 5 %; None where there is none, or two that differ.
    """
    answer = split_reasoning(text)[1]
    found = {tuple(p.values()) for p in _json_distributions(answer, labels)}
    if not found:
        found = {tuple(p.values()) for p in _line_distributions(answer, labels)}
    if len(found) != 1:
        return None
    values = found.pop()
    total = math.fsum(values)
    if any(not 0 <= p <= 1 + PROBABILITY_TOLERANCE for p in values):
        return None
    if abs(total - 1) > PROBABILITY_TOLERANCE:
        return None
    return {label: p / total for label, p in zip(labels, values, strict=True)}


def _json_distributions(answer: str, labels: Sequence[str]) -> Iterator[dict[str, float]]:
    decoder = json.JSONDecoder()
    place = answer.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(answer, place)
        except ValueError:
            end = place + 1
        else:
            for inner in (value, *value.values()):
                if isinstance(inner, dict) and (found := _of_labels(inner, labels)):
                    yield found
        place = answer.find("{", end)


def _of_labels(value: dict, labels: Sequence[str]) -> dict[str, float] | None:
    """Return a JSON object's numbers in the labels' order, None where it is not about just these."""
    if set(value) != set(labels):
        return None
    found = {}
    for label in labels:
        number = value[label]
        percent = isinstance(number, str) and number.strip().endswith("%")
        try:
            found[label] = float(str(number).strip().rstrip("%")) / (100 if percent else 1)
        except ValueError:
            return None
    return _of_percents(found)


def _line_distributions(answer: str, labels: Sequence[str]) -> Iterator[dict[str, float]]:
    found: dict[str, float] = {}
    signs: set[str] = set()
    for line in answer.splitlines():
        match = _PROBABILITY_LINE.match(line.replace("**", ""))
        if match is None or match[1] not in labels:
            continue
        if match[1] in found:  # stated again, or differently: the second block is judged on its own
            if len(found) == len(labels):
                found, signs = {}, set()
            else:
                return
        signs.add(match[3])
        found[match[1]] = float(match[2]) / (100 if match[3] else 1)
        if len(found) == len(labels) and len(signs) == 1:
            yield _of_percents({label: found[label] for label in labels})


def _of_percents(found: dict[str, float]) -> dict[str, float]:
    """Return numbers that sum to about 100 as shares."""
    if abs(sum(found.values()) - 100) <= 100 * PROBABILITY_TOLERANCE:
        return {label: value / 100 for label, value in found.items()}
    return found


def _plain(text: str) -> str:
    """Return a text without Markdown's emphasis."""
    return re.sub(r"\*+|`+|(?<!\w)_+|_+(?!\w)", "", text)


def _bare(content: str) -> str:
    """Return what a frame holds without LaTeX, quotes and surrounding space."""
    content = re.sub(_BOXED, r"\1", content.strip())
    content = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}", r"\1", content)
    return content.replace("\\(", "").replace("\\)", "").strip().strip("$\"'“”‘’「」 ").strip()


def _comparable(text: str) -> str:
    """Return a text without case, spacing and punctuation at its ends."""
    return " ".join(_plain(text).casefold().split()).strip(".,;:!?()[]\"'“”‘’ -–—")
