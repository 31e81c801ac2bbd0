"""Samples of lm-evaluation-harness: every repeat, of which its default filter keeps one."""

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.imported import Imported, Record, outcome, told_apart
from hotmess_jax.llm.importers.last_number import last_number
from hotmess_jax.llm.importers.lm_eval_documents import (
    SEVERAL,
    Asked,
    alphabet,
    arguments_of,
    asked,
    in_letters,
    readings,
    without_unconditional,
)
from hotmess_jax.llm.importers.lm_eval_files import Samples, samples_of
from hotmess_jax.llm.importers.reconcile import mean, parting
from hotmess_jax.llm.sampling.answers import final_answer, split_reasoning
from hotmess_jax.llm.sampling.benchmarks.question import LABELS, RowError, hash_order, make_question

# Scores that are right or wrong of each document.
_OF_LIKELIHOODS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match")
_OF_RESPONSES = ("exact_match", "acc")
# Filters that take something else than the first response.
_OF_SEVERAL = ("majority_vote", "take_first_k", "maj")
HALF = 0.5


def import_lm_eval(
    paths: Sequence[Path],
    model: str | None = None,
    normalised: bool = False,
    correctness: bool = False,
) -> Imported:
    """Read `samples_*.jsonl` with the `results_*.json` beside them, or results with samples inside.

    A line is a document and filter: each document is read once. What was generated is read by
    `answers.final_answer`, not by the task's filter; of log-likelihoods the softmax over the options is
    the distribution, and they are read once of each prompt, since they cannot vary. The right option is
    the row's own `target`. A question is the texts of its document. The options' order is decided by
    their texts, since tasks may shuffle them differently from run to run. Few-shot examples, chat
    template, system instruction, arguments of the model and settings of generation are kept.

    Args:
        paths: files of samples or results, also as gzip, or folders.
        model: its name; None is the one in the results.
        normalised: divide log-likelihoods by the options' lengths in characters, as `acc_norm` does.
        correctness: where a task has no options, take right or wrong as the outcome: the last number of
            each response against the target's.

    Raises:
        ValueError: where a path is nowhere.
    """
    imported = Imported()
    # Prompts whose log-likelihoods were read, and runs whose responses were.
    prompts: set[tuple] = set()
    runs: dict[tuple, Path] = {}
    for samples in samples_of(list(paths), imported):
        of = model or samples.model
        if of is None:
            imported.leave_out(
                samples.path,
                "no readable results_TIME.json beside it names the model (--model names it)",
            )
            continue
        key = (samples.task, of, samples.time, _digest([row for _, row in samples.rows]))
        if key in runs:
            imported.notes[f"{samples.path} holds what {runs[key]} does, and was not read again"] += 1
            continue
        runs[key] = samples.path
        _import(samples, of, normalised, correctness, prompts, imported)
    return imported


@dataclass(eq=False)
class _Document:
    """One document: its first row, all its rows by filter, and what was read of it."""

    name: str
    where: str
    rows: list[Mapping[str, Any]]
    arguments: list[list[Any]]
    responses: list[Any]
    scored: bool
    asked: Asked
    # Of log-likelihoods, those of the options alone; empty where they were not asked for.
    unconditional: list[Any]
    gold: int | None = None
    readings: dict[str, int] = field(default_factory=dict)
    # What was read, by the harness' name of the score: 1 is right.
    scores: dict[str, float] = field(default_factory=dict)


def _import(
    samples: Samples,
    model: str,
    normalised: bool,
    correctness: bool,
    prompts: set[tuple],
    imported: Imported,
) -> None:
    kind = samples.config.get("output_type")
    if kind in ("loglikelihood", "loglikelihood_rolling"):
        imported.leave_out(samples.path, f"{samples.task} measures a {kind}: it has no options")
        return
    documents = _tell_right(_documents(samples, correctness, imported), samples, imported)
    settings = {"benchmark": samples.task, "model": model} | samples.settings
    unparsed = number = 0
    for document in documents:
        try:
            records = _records(document, settings, normalised, samples.config.get("target_delimiter"))
        except (RowError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            document.scores.clear()
            _leave_out(samples, document.where, error, imported)
            continue
        if document.scored:
            key = (
                *(records[0].get(name) for name in settings),
                _digest(
                    [document.rows[0].get("doc_hash", document.rows[0]["doc"]), document.arguments]
                ),
            )
            if key in prompts:
                imported.notes["log-likelihoods of a prompt, which cannot vary, counted once"] += 1
                continue
            prompts.add(key)
        for record in records:
            number += 1
            unparsed += record.get("answer") == ""
            imported.add(record)
    _reconcile(samples, model, documents, unparsed / max(number, 1), imported)


def _documents(samples: Samples, correctness: bool, imported: Imported) -> list[_Document]:
    """Return the file's documents that have options or, with correctness, need none."""
    by_name: dict[str, tuple[str, list[Mapping[str, Any]]]] = {}
    for number, row in samples.rows:
        where = f"line {number}"
        if not isinstance(row, Mapping) or "doc_id" not in row:
            imported.leave_out(samples.path, "is no sample: it has no doc_id", where)
            continue
        by_name.setdefault(str(row["doc_id"]), (where, []))[1].append(row)
    found = []
    for name, (where, rows) in by_name.items():
        try:
            arguments, responses, alone = without_unconditional(arguments_of(rows[0]), rows[0]["resps"])
            scored = not isinstance(responses[0][0], str)
            of = asked(rows[0], arguments, scored, samples.config.get("target_delimiter"))
            document = _Document(name, where, rows, arguments, responses, scored, of, alone)
            if len(of.options) >= 2:
                if scored and len(responses) != len(of.options):
                    raise RowError(f"{len(responses)} log-likelihoods for {len(of.options)} options")
            elif scored or not correctness:
                raise RowError(
                    "the document has no options"
                    + ("" if scored else " (--correctness takes right or wrong as its outcome)")
                )
            found.append(document)
        except (RowError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            _leave_out(samples, where, error, imported)
    return found


def _leave_out(samples: Samples, where: str, error: Exception, imported: Imported) -> None:
    what = str(error) if isinstance(error, RowError) else f"is no sample ({error!r})"
    imported.leave_out(samples.path, what[:200], where)


def _tell_right(documents: list[_Document], samples: Samples, imported: Imported) -> list[_Document]:
    """Find each document's right option: by its row's target, else by the field that the scores confirm.

    Returns:
        The documents that have no more than one.
    """
    template = samples.config.get("doc_to_target")
    choosing = [document for document in documents if document.asked.options]
    targets = [str(document.rows[0].get("target")) for document in choosing]
    letters = alphabet(targets)
    if letters and letters[0] in "01" and samples.config.get("doc_to_choice") is not None:
        letters = None  # then they are places
    none: set[_Document] = set()
    for document in choosing:
        of = document.asked
        if letters and not document.scored and of.labels == of.letters and letters[0] != "A":
            labels = tuple(letters[: len(of.options)])
            document.asked = of = Asked(of.text, of.options, labels, of.choices)
        try:
            right = _own_score(document)
            if right is not None and right not in (0, 1):
                raise RowError(SEVERAL)
            document.readings = readings(document.rows[0], of, document.scored, template)
            if document.scored and right is not None and (right or len(of.options) == 2):
                best = _best(_likelihoods(document.responses))
                document.readings["its own score"] = best if right else 1 - best
        except (RowError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            _leave_out(samples, document.where, error, imported)
            none.add(document)
    choosing = [document for document in choosing if document not in none]
    confirmed = _confirmed(choosing)
    contradicted = []
    for document in choosing:
        told = document.readings
        document.gold = told.get("target", told.get(confirmed or ""))
        if "target" in told and confirmed in told and told[confirmed or ""] != told["target"]:
            contradicted.append(document.name)
    if contradicted:
        names = ", ".join(contradicted[:10]) + (", …" if len(contradicted) > 10 else "")
        imported.notes[
            f"{samples.path}: the document's {confirmed!r} contradicts the row's target, which was taken: "
            f"documents {names}"
        ] += len(contradicted)
    return [document for document in documents if document not in none]


def _confirmed(documents: Sequence[_Document]) -> str | None:
    """Return the reading of a document's fields that targets, or the rows' own scores, confirm best."""
    points: dict[str, tuple[int, int]] = {}
    for document in documents:
        told = document.readings
        right = _own_score(document)
        best = _best(_likelihoods(document.responses)) if document.scored else None
        for name, place in told.items():
            if name == "target":
                continue
            agrees = place == told["target"] if "target" in told else True
            if "target" not in told and best is not None and right is not None:
                agrees = (place == best) == bool(right)
            good, there = points.get(name, (0, 0))
            points[name] = (good + agrees, there + 1)
    # What the score alone tells is the last resort.
    return max(points, key=lambda name: (points[name][0], name != "its own score"), default=None)


def _own_score(document: _Document) -> float | None:
    """Return the `acc` that the row of a document with log-likelihoods has."""
    value = document.rows[0].get("acc") if document.scored else None
    return float(value) if isinstance(value, int | float) else None


def _likelihoods(responses: Sequence[Any]) -> list[float]:
    return [float(repeats[0][0]) for repeats in responses]


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: values[i])


def _records(
    document: _Document, settings: Mapping[str, Any], normalised: bool, delimiter: str | None
) -> list[Record]:
    """Return a record of each repeat of one document, and note its scores."""
    of = document.asked
    drawn = _drawn(document) if not document.scored else {}
    base: Record = {**settings, **drawn}
    if not of.options:
        return _by_number(document, base)
    if document.gold is None:
        raise RowError("the right option is not known")
    given = told_apart(of.options, document.gold)
    order = hash_order(of.text, given)
    question = make_question(
        settings["benchmark"], of.text, [given[i] for i in order], order.index(document.gold)
    )
    label = {i: question.labels[place] for place, i in enumerate(order)}
    base |= {
        "question_id": question.question_id,
        "options": list(question.labels),
        "option_texts": list(question.options),
        "target": question.target,
    }
    if not document.scored:
        return _answered(document, base, label)
    logs = _likelihoods(document.responses)
    measured = {"acc": logs}
    if of.choices is not None and all(of.choices):
        for name, lengths in (
            ("acc_norm", [len(choice) for choice in of.choices]),
            ("acc_bytes", [len(choice.encode()) for choice in of.choices]),
        ):
            measured[name] = [value / length for value, length in zip(logs, lengths, strict=True)]
    if document.unconditional:
        alone = _likelihoods(document.unconditional)
        measured["acc_mutual_info"] = [value - own for value, own in zip(logs, alone, strict=True)]
    for name, values in measured.items():
        document.scores[name] = float(_best(values) == document.gold)
    greedy = document.responses[document.gold][0]
    if len(greedy) > 1:
        document.scores["exact_match"] = float(str(greedy[1]) == "True")
    if normalised and "acc_norm" not in measured:
        raise RowError("the options' lengths are not known, and --normalised divides by them")
    logs = measured["acc_norm"] if normalised else logs
    highest = max(logs)
    weights = [math.exp(value - highest) for value in logs]
    total = sum(weights)
    return [base | {"probs": {label[i]: weight / total for i, weight in enumerate(weights)}}]


def _answered(document: _Document, base: Record, label: Mapping[int, str]) -> list[Record]:
    """Return the records of responses that name an option."""
    of = document.asked
    shown = of.labels if all(one in LABELS for one in of.labels) else of.letters
    # By which the text calls them: it may say "A" of what is the record's D.
    places = {label[i]: one for i, one in enumerate(of.labels)}
    base = base | {"shown_labels": [places[one] for one in base["options"]]}
    records = []
    for response in document.responses[0]:
        stated = final_answer(in_letters(response, of.labels), shown, of.options)
        place = shown.index(stated) if stated else None
        records.append(base | _text(response) | {"answer": "" if place is None else label[place]})
        right = float(place is not None and place == document.gold)
        document.scores.update({name: right for name in _OF_RESPONSES if name not in document.scores})
    return records


def _by_number(document: _Document, base: Record) -> list[Record]:
    """Return the records of responses whose last number is right or wrong."""
    row = document.rows[0]
    target = last_number(str(row.get("target")))
    if target is None:
        raise RowError("the target has no number, and --correctness compares the last one")
    text = document.asked.text or json.dumps(row["doc"], sort_keys=True)
    question = f"{base['benchmark']}/{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
    records = []
    for response in document.responses[0]:
        number = last_number(split_reasoning(response)[1])
        right = None if number is None else number == target
        records.append(base | {"question_id": question} | _text(response) | outcome(right))
        score = float(bool(right))
        document.scores.update({name: score for name in _OF_RESPONSES if name not in document.scores})
    return records


def _text(response: str) -> Record:
    reasoning, answer = split_reasoning(response)
    words = len(response.split())
    return {"text": answer.strip(), "reasoning": reasoning or None, "words": words}


def _drawn(document: _Document) -> Record:
    """Return what the responses were drawn with."""
    given = next((one for of in document.arguments for one in of if isinstance(one, Mapping)), {})
    temperature, greedy = given.get("temperature"), given.get("do_sample") is False
    others = {
        name: value
        for name, value in sorted(given.items())
        if name not in ("temperature", "do_sample", "until", "max_gen_toks") and value is not None
    }
    longest = given.get("max_gen_toks")
    return {
        "temperature": float(temperature)
        if isinstance(temperature, int | float)
        else (0.0 if greedy else None),
        "max_tokens": longest if isinstance(longest, int) else None,
        "generation": ",".join(f"{name}={value}" for name, value in others.items()) or None,
    }


def _reconcile(
    samples: Samples, model: str, documents: Sequence[_Document], unparsed: float, imported: Imported
) -> None:
    """Hold what was read against the log's number of documents, its scores, and each row's own."""
    read = [document for document in documents if document.scores]

    compare = functools.partial(imported.compare, samples.path, samples.task, model)
    if samples.number is not None:
        compare("questions", samples.number, len(read))
    scored = any(document.scored for document in read)
    found: list[tuple[str, float, float, tuple[str, ...], int]] = []
    for metric in _OF_LIKELIHOODS if scored else _OF_RESPONSES:
        ours = {
            document.name: document.scores[metric] for document in read if metric in document.scores
        }
        for name in _filters(documents, samples):
            own = _scores_of_rows(read, metric, name)
            log = samples.figures.get(f"{metric},{name}", samples.figures.get(metric))
            if not isinstance(log, int | float) or not math.isfinite(log):
                log = mean(own) if own else None
            if log is not None and ours:
                found.append((f"{metric},{name}", log, mean(ours), parting(own, ours), len(ours)))
    # Each filter takes another answer from a response: what is read here is held against the nearest.
    if not scored and found:
        found = [min(found, key=lambda one: (len(one[3]), abs(one[1] - one[2])))]
    for one in found:
        compare(*one)
    if not found:
        imported.without_figures.append(f"{samples.path}: {samples.task}")
    if unparsed > HALF and found and found[0][1] > found[0][2]:
        imported.notes[
            f"{samples.path}: {unparsed:.0%} of the answers could not be parsed, while the log's own "
            f"{found[0][0]} is {found[0][1]:.3f}"
        ] += 1


def _filters(documents: Sequence[_Document], samples: Samples) -> list[str]:
    """Return the names of the filters that take the first response."""
    names = dict.fromkeys(str(row.get("filter", "none")) for of in documents for row in of.rows)
    several = set()
    for one in samples.config.get("filter_list") or []:
        steps = one.get("filter") or []
        if any(step.get("function") in _OF_SEVERAL for step in steps):
            several.add(one.get("name"))
    return [name for name in names if name not in several and not name.startswith("maj")]


def _scores_of_rows(documents: Sequence[_Document], metric: str, name: str) -> dict[str, float]:
    """Return the documents' own scores by one filter."""
    return {
        document.name: float(row[metric])
        for document in documents
        for row in document.rows
        if str(row.get("filter", "none")) == name and isinstance(row.get(metric), int | float)
    }


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
