"""Documents of lm-evaluation-harness' many tasks: what was asked, among which options, and what is right."""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotmess_jax.llm.importers.imported import label_of
from hotmess_jax.llm.sampling.benchmarks.question import LABELS, RowError

_GOLDS = (
    "answer", "gold", "answerKey", "answer_index", "answer_idx", "label", "target",
    "correct_answer_num", "correct_answer", "answer_choice", "correct", "cop",
)  # fmt: skip
# Options that stand in fields of their own: "choice1", "option_2", "sol1", "A", …
_NUMBERED = re.compile(
    r"(?P<stem>|choice|option|opt|op|sol|ending|mc_answer|answer|ans)_?(?P<place>\d+|[A-J])"
)
SEVERAL = "several options are right, and a record has one: the task is not read"
# Labels that tasks of other languages have.
ALPHABETS = (LABELS, "ΑΒΓΔΕΖΗΘΙΚ", "АБВГДЕЖЗИК", "1234567890", "0123456789")


@dataclass(frozen=True)
class Asked:
    """What a row asked."""

    # What tells the document from others: its texts, but for options and answers.
    text: str
    # In the order in which the model saw them, with their labels there; none where the task has none.
    options: tuple[str, ...]
    labels: tuple[str, ...]
    # What the harness measures lengths of, for `acc_norm`; None where options are whole contexts.
    choices: tuple[str, ...] | None = None

    @property
    def letters(self) -> tuple[str, ...]:
        """A, B, …, one an option."""
        return tuple(LABELS[: len(self.options)])


def arguments_of(row: Mapping[str, Any]) -> list[list[Any]]:
    """Return the requests' arguments, which are a list in the Python API and a mapping in files."""
    given = row.get("arguments") or []
    if isinstance(given, Mapping):
        given = list(given.values())
    return [list(one.values()) if isinstance(one, Mapping) else list(one) for one in given]


def without_unconditional(
    arguments: Sequence[list[Any]], responses: Sequence[Any]
) -> tuple[list[list[Any]], list[Any], list[Any]]:
    """Return requests without those of `acc_mutual_info`, whose second half has no context, and these."""
    half = len(responses) // 2
    contexts = [one[0] if one else None for one in arguments]
    twice = half and len(arguments) == len(responses) == 2 * half
    if twice and any(contexts[:half]) and not any(contexts[half:]):
        return list(arguments[:half]), list(responses[:half]), list(responses[half:])
    return list(arguments), list(responses), []


def asked(
    row: Mapping[str, Any], arguments: Sequence[list[Any]], scored: bool, delimiter: str | None
) -> Asked:
    """Return what a row asked.

    Args:
        row: of a file of samples.
        arguments: of its requests.
        scored: whether they are the options, of which it has the log-likelihoods.
        delimiter: what the task puts between context and option; None where that is not known.

    Raises:
        RowError: where the prompt shows the options in another order than the document has them.
    """
    doc = row["doc"] if isinstance(row["doc"], Mapping) else {"doc": str(row["doc"])}
    options, labels = _given(doc)
    prompt = str(arguments[0][0]) if arguments and arguments[0] else ""
    choices: tuple[str, ...] | None = None
    if scored:
        ends = [str(one[1]) for one in arguments if len(one) > 1]
        if len(ends) == len(arguments) and len(ends) > 1 and len(set(ends)) == 1:
            options, labels = _parts_that_differ([str(one[0]) for one in arguments]), ()
        elif ends:
            cut = " " if delimiter is None else delimiter
            choices = tuple(end.removeprefix(cut) for end in ends)
            texts = tuple(end.strip() for end in ends)
            bare = tuple(text.strip("()[]. ") for text in texts)
            # "A", "(B)": the texts stand in the document.
            if len(options) == len(texts) and set(texts) != set(options) and max(map(len, bare)) <= 2:
                labels = bare
                _check_order(_shown(prompt, options), labels)
            else:
                options, labels = texts, labels if texts == options else ()
    elif options:
        shown = _shown(prompt, options)
        _check_order(shown, labels or tuple(LABELS[: len(options)]))
        labels = shown or labels
    known = labels if len(labels) == len(options) else tuple(LABELS[: len(options)])
    text = _identity(doc, options) or prompt
    return Asked(text, options, known, choices)


def _given(doc: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the options that a document has, and their labels where it has any."""
    choices = doc.get("choices", doc.get("options"))
    labels: Any = ()
    if isinstance(choices, Mapping):
        labels = choices.get("label", ())
        if "text" in choices:
            choices = choices["text"]
        elif all(isinstance(value, str) for value in choices.values()):
            labels, choices = tuple(choices), list(choices.values())
    if not isinstance(choices, list | tuple):
        labels = ()
        families: dict[str, dict[str, str]] = {}
        for name, value in doc.items():
            if (match := _NUMBERED.fullmatch(name)) and isinstance(value, str | int | float):
                families.setdefault(match["stem"], {})[match["place"]] = str(value)
        found = [list(family.values()) for family in families.values() if _from_first(list(family))]
        choices = max(found, key=len, default=[])
    if len(choices) < 2 or isinstance(choices[0], Mapping):
        return (), ()
    return tuple(str(choice).strip() for choice in choices), tuple(map(str, labels))


def _from_first(places: Sequence[str]) -> bool:
    first = [str(i + start) for start in (0, 1) for i in range(len(places))]
    numbered = list(places) in (first[: len(places)], first[len(places) :])
    return len(places) > 1 and (numbered or list(places) == list(LABELS[: len(places)]))


def _parts_that_differ(contexts: Sequence[str]) -> tuple[str, ...]:
    """Return what tells contexts apart, in whole words."""
    words = [context.split() for context in contexts]
    before = _in_common(words)
    after = _in_common([of[before:][::-1] for of in words])
    return tuple(" ".join(of[before : len(of) - after]) for of in words)


def _in_common(words: Sequence[Sequence[str]]) -> int:
    """Return with how many words all begin that are the same."""
    return next(
        (i for i, same in enumerate(zip(*words, strict=False)) if len(set(same)) > 1),
        min(map(len, words)),
    )


def _shown(prompt: str, options: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that stand before the options in a prompt, the last time that they do."""
    labels = []
    for option in options:
        before = r"(?:^|[\s(\[])([^\W_]{1,2})\s?[.):\]]\s?"
        found = re.findall(before + re.escape(option) + r"(?=\s|$)", prompt)
        if not found:
            return ()
        labels.append(found[-1])
    return tuple(labels) if len(set(labels)) == len(labels) else ()


def _check_order(shown: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a prompt's labels stand before the options that the document has in their places.

    A task that shuffles its options draws their order anew each time that its documents are looked at, unless
    that was kept: the target and the score of the row are then of another order than the model saw.
    """
    if set(shown) == set(labels) and tuple(shown) != tuple(labels):
        raise RowError(
            "the prompt shows the options in another order than the document, whose target it has"
        )


def _identity(doc: Mapping[str, Any], options: Sequence[str]) -> str:
    """Return the texts of a document that are neither an option nor what is right."""
    parts = []
    for name in sorted(doc):
        texts = list(_texts(doc[name]))
        told = name in _GOLDS or _NUMBERED.fullmatch(name) or name in ("choices", "options")
        if texts and not told and not {text.strip() for text in texts} & set(options):
            parts += texts
    return "\n".join(parts).strip()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def readings(
    row: Mapping[str, Any], of: Asked, scored: bool, template: str | None = None
) -> dict[str, int]:
    """Return the place of the right option as each field tells it, the row's own `target` first.

    Fields of documents count from 0 or from 1: "label" and "label from 1" are readings of one field.

    Args:
        row: of a file of samples.
        of: what it asked.
        scored: whether it has log-likelihoods, whose target is a place where it is a number.
        template: the task's `doc_to_target`.

    Raises:
        RowError: where several options are right.
    """
    doc = row["doc"] if isinstance(row["doc"], Mapping) else {}
    found: dict[str, int] = {}
    target = _one(row.get("target"))
    mc2 = doc.get("mc2_targets")
    mc2 = mc2 if isinstance(mc2, Mapping) else {}
    same = {str(choice).strip() for choice in mc2.get("choices", ())} == set(of.options)
    if same and _sums(mc2.get("labels")) > 1:
        raise RowError(SEVERAL)
    answers = doc["answers"] if isinstance(doc.get("answers"), list) else []
    # Of which headqa's are the options, as mappings.
    right = {str(answer) for answer in answers if not isinstance(answer, Mapping)}
    if len(right) > 1 and right != set(of.options):
        raise RowError(SEVERAL)
    # A field's own text is no place, though it be a number.
    plain = template is not None and isinstance(doc.get(template), str)
    place = _place(target, of, first=scored and not plain)
    if place is not None:
        found["target"] = place
    for name in _GOLDS:
        value = doc.get(name)
        if value is None:
            continue
        if isinstance(value, str) and (label := label_of(value, of.labels, of.options)):
            found[name] = of.labels.index(label)
        if (number := _number(value)) is not None:
            for reading, start in ((name, 0), (f"{name} from 1", 1)):
                if 0 <= number - start < len(of.options):
                    found.setdefault(reading, number - start)
    return found


def _sums(labels: Any) -> int:
    return sum(label == 1 for label in labels) if isinstance(labels, list) else 0


def _one(target: Any) -> Any:
    """Return a target, also out of the list that it stands in.

    Raises:
        RowError: where several are right.
    """
    if isinstance(target, str) and target.startswith("[") and target.endswith("]"):
        try:
            target = ast.literal_eval(target)
        except (SyntaxError, ValueError):
            return target
    if isinstance(target, list):
        if len({json.dumps(one) for one in target}) > 1:
            raise RowError(SEVERAL)
        return target[0] if target else None
    return target


def _place(target: Any, of: Asked, first: bool) -> int | None:
    """Return the place that a target names: its number first, or its label and text first."""
    number = _number(target)
    if number is not None and not 0 <= number < len(of.options):
        number = None
    if target is None or (first and number is not None):
        return number
    if isinstance(target, str):
        if target in of.options:
            return of.options.index(target)
        for labels in (of.labels, of.letters):
            if label := label_of(target, labels, of.options):
                return labels.index(label)
        if target in ("True", "False") and len(of.options) == 2:
            return int(target == "True")
    return number


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    return int(value) if isinstance(value, int) else None


def alphabet(targets: Sequence[str]) -> str | None:
    """Return the first alphabet that has all targets as single letters, None where none has."""
    bare = {target.strip().strip("()[]. ") for target in targets}
    return next(
        (one for one in ALPHABETS if bare and all(len(t) == 1 and t in one for t in bare)), None
    )


# What frames an answer in languages that `answer_statements` does not read.
_FRAMES = re.compile(
    r"(?:η\s+)?(?:σωστή\s+)?απάντηση(?:\s+είναι)?(?:\s+(?:το|η))?\s*:?|"
    r"(?:правильный\s+)?ответ(?:\s*[-—–])?\s*:?|відповідь\s*:?",
    re.IGNORECASE,
)


def in_letters(response: str, labels: Sequence[str]) -> str:
    """Return a response in which the labels of another alphabet, and digits, are A, B, …"""
    if all(label in LABELS for label in labels):
        return response
    letters = dict(zip(labels, LABELS, strict=False))
    if not any(label.isdecimal() for label in labels):
        response = _FRAMES.sub("Answer: ", response)
    names = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return re.sub(rf"(?<![\w.,$€£])(?:{names})(?![\w%]|[.,]\d)", lambda m: letters[m[0]], response)
