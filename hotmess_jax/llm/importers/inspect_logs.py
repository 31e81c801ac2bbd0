"""Logs of Inspect (UK AISI), through its own reader; needs the extra inspect."""

import functools
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hotmess_jax.llm.importers.imported import (
    Imported,
    Record,
    files_below,
    label_of,
    outcome,
    read_bytes,
    told_apart,
)
from hotmess_jax.llm.importers.inspect_samples import (
    generations,
    is_distance,
    is_no_answer,
    reasoning_of,
    score_of,
    transcript_of,
    value_of,
)
from hotmess_jax.llm.importers.reconcile import mean, parting
from hotmess_jax.llm.sampling.benchmarks.question import LABELS, hash_order

# How the scorer of SWE-bench in inspect_evals writes the outcome of each test.
_TESTS = re.compile(r"PASS_TO_PASS:\s*(\{.*?\n?\})\s*FAIL_TO_PASS:\s*(\{.*?\n?\})\s*\Z", re.DOTALL)
# What lies beside logs and is none.
_LISTINGS = ("logs.json", "listing.json", "eval-set.json")
# Settings of generation that have a field of their own, or change nothing in what is drawn.
_OWN_FIELDS = {
    "temperature", "max_tokens", "reasoning_effort", "reasoning_tokens", "system_message", "seed",
    "max_retries", "timeout", "attempt_timeout", "max_connections", "adaptive_connections", "batch", "cache",
    "num_choices", "logprobs", "top_logprobs", "response_schema",
}  # fmt: skip


def import_inspect(
    paths: Sequence[Path], scorer: str | None = None, correctness: bool = False
) -> Imported:
    """Read Inspect logs, .eval or .json: each epoch of a sample is a sample of a question.

    Samples that ended in an error, or have no score, are left out; those that hit a limit are kept,
    without an answer if they have none, and so are those whose score says that there was no answer. Of a
    log that did not finish what is there is read; what a later log (`eval-retry`) or a copy holds again is
    read once. The options' order is decided by their texts, since logs may shuffle them differently.
    Lengths are those of the evaluated model's generations before scoring. SWE-bench's scores give the
    outcome of every test; a run that hit a limit counts as unchanged, whatever its score: PASS_TO_PASS
    tests pass and FAIL_TO_PASS tests fail. Which tests a task has is in its metadata, or in another run's
    score.

    Args:
        paths: logs, or folders of them.
        scorer: whose score to take; None is the first that states an answer.
        correctness: where a sample has no choices, take right or wrong as its outcome. Where any score of a
            task is a fraction, in whichever log, its samples have an `outcome` alone.

    Raises:
        ValueError: where a path is nowhere, or inspect_ai is not installed.

    Source: Hägele et al. 2026, Appendix B.3, for runs that hit a limit.
    """
    try:
        from inspect_ai.log import read_eval_log
    except ImportError:
        raise ValueError("Inspect logs need the extra inspect: pip install -e '.[inspect]'") from None
    imported = Imported()
    # What was read, by each of the names that a sample has.
    seen: set[tuple] = set()
    read: list[_Log] = []
    tests: dict[tuple, _Tests] = {}
    for path in files_below(paths, (".eval", ".json")):
        try:
            if path.name in _LISTINGS or read_bytes(path).lstrip()[:1] == b"[":
                continue
            log = read_eval_log(str(path), resolve_attachments=True)
        except Exception as error:  # a log is a zip of JSON, and its reader raises of many kinds
            imported.leave_out(path, f"cannot be read: {str(error) or type(error).__name__}"[:200])
            continue
        if not log.samples:
            imported.leave_out(path, "holds no samples")
        read.append(_read(path, log, scorer, correctness, seen, tests, imported))
    for one in read:
        for identity, reason, where in one.left_out:
            if not identity & seen:  # a retry has it
                imported.leave_out(one.path, reason, where)
    _settle_scores(read, imported)
    for one in read:
        # 1 for every single turn is no length.
        single = all((of.record.get("actions") or 0) <= 1 for of in one.samples)
        for sample in one.samples:
            _add(one, sample, single, tests, imported)
        _reconcile(one, imported)
    return imported


@dataclass
class _Sample:
    """One sample that is a record, or will be."""

    name: str
    epoch: int
    record: Record
    notes: list[str]
    # Its own score, None where it has none; and what was read of it.
    own: float | None = None
    right: float | None = None


@dataclass
class _Log:
    """One log: its samples, and what it says of itself."""

    path: Path
    benchmark: str
    model: str
    results: Any
    scorer: str | None = None
    # Whether some scores are neither right nor wrong, but between; and whether they are no scores at all.
    fractions: bool = False
    distance: bool = False
    samples: list[_Sample] = field(default_factory=list)
    left_out: list[tuple[set[tuple], str, str]] = field(default_factory=list)
    # Samples that another log gave already, whose scores count for this log's figures too.
    again: list[_Sample] = field(default_factory=list)


def _read(
    path: Path,
    log: Any,
    scorer: str | None,
    correctness: bool,
    seen: set[tuple],
    tests: dict[tuple, "_Tests"],
    imported: Imported,
) -> _Log:
    found = _Log(path, log.eval.task, log.eval.model, log.results)
    if log.status != "success":
        imported.notes[f"{path.name}: the log's status is {log.status}; what is there was read"] += 1
    scores = [score_of(sample, scorer) for sample in log.samples or []]
    named = Counter(name for name, _ in scores if name)
    found.scorer = scorer or (named.most_common(1)[0][0] if named else None)
    values = [
        value
        for _, score in scores
        if score is not None and (value := value_of(score.value)) is not None
    ]
    metrics = [
        name
        for one in getattr(log.results, "scores", [])
        if one.name == found.scorer
        for name in one.metrics
    ]
    found.fractions = any(value not in (0, 1) for value in values)
    found.distance = is_distance(found.scorer or "", values, metrics)
    settings = _settings(log)
    for sample in log.samples or []:
        identity = _identities(log, sample)
        notes: list[str] = []
        try:
            record = _record(log, sample, scorer, correctness, notes)
        except _LeftOut as reason:
            where = f"sample {sample.id} (epoch {sample.epoch})"
            found.left_out.append((identity, str(reason), where))
            continue
        _, score = score_of(sample, scorer)
        own = value_of(score.value) if score is not None else None
        if score is not None and is_no_answer(score.value):
            own = 0.0
        one = _Sample(str(sample.id), sample.epoch, settings | record, notes, own)
        if identity & seen:
            imported.notes["samples that another log holds too (a copy, or a retry), read once"] += 1
            one.right = _right(one.record)
            found.again.append(one)
            continue
        if known := _tests_of(sample, scorer):
            tests.setdefault((log.eval.task, str(sample.id)), known)
        seen |= identity
        found.samples.append(one)
    return found


def _settle_scores(read: Sequence[_Log], imported: Imported) -> None:
    """Make outcomes of the scores of samples without choices: of one kind in all logs of a task."""
    fractions = {(log.benchmark, log.scorer) for log in read if log.fractions}
    distances = {(log.benchmark, log.scorer) for log in read if log.distance}
    for log in read:
        kind = log.benchmark, log.scorer
        kept = []
        for sample in log.samples:
            record = sample.record
            if _SCORE in record and kind in distances:
                where = f"sample {sample.name} (epoch {sample.epoch})"
                imported.leave_out(
                    log.path,
                    "the score is a distance, or out of 0 to 1: it is neither right nor wrong",
                    where,
                )
                continue
            kept.append(sample)
            if _SCORE not in record:
                continue
            value = record.pop(_SCORE)
            if kind not in fractions:
                record |= outcome(None if value is None else value == 1)
            elif value is None:
                record |= {"outcome": 0.0, "answered": False}
            else:
                record |= {"outcome": value}
        log.samples = kept
        log.again = [one for one in log.again if _SCORE not in one.record or kind not in distances]


def _add(
    log: _Log, sample: _Sample, single: bool, tests: dict[tuple, "_Tests"], imported: Imported
) -> None:
    record = sample.record
    if record.pop(_UNCHANGED, False):
        known = tests.get((record["benchmark"], record["question_id"]))
        if known is None:
            imported.leave_out(
                log.path,
                "the run hit a limit and has no choices, and neither it nor another tells the task's "
                "tests (--correctness takes right or wrong as the outcome)",
            )
            return
        sample.notes.append("runs that hit a limit, counted as unchanged tests")
        record["tests"] = known.unchanged
    else:
        sample.right = _right(record)
    if single:
        record["actions"] = None
    for note in sample.notes:
        imported.notes[note] += 1
    imported.add(record, sample.epoch - 1)


def _right(record: Record) -> float | None:
    """Return what was read of a sample as a score: 1 is right."""
    if _SCORE in record:
        return record[_SCORE] or 0.0
    if record.get("tests") is not None:
        return float(all(record["tests"].values()))
    if record.get("target") is not None:
        return float(record["answer"] == record["target"])
    return None if record.get("outcome") is None else float(record["outcome"])


def _reconcile(log: _Log, imported: Imported) -> None:
    """Hold what was read against the log's number of samples, its accuracy, and each sample's own score."""
    samples = [*log.samples, *log.again]

    compare = functools.partial(imported.compare, log.path, log.benchmark, log.model)
    if log.results is not None:
        compare("samples", log.results.completed_samples, len(samples))
    named = {f"{of.name} (epoch {of.epoch})": of for of in samples}
    own = {name: of.own for name, of in named.items() if of.own is not None and of.right is not None}
    read = {name: of.right for name, of in named.items() if of.right is not None}
    parted = parting(own, read)
    by_question: dict[str, list[float]] = {}
    for of in samples:
        if of.right is not None:
            by_question.setdefault(of.name, []).append(of.right)
    figures = []
    for score in getattr(log.results, "scores", None) or []:
        if score.name == log.scorer and score.reducer in (None, "", "mean", "max"):
            best = score.reducer == "max"
            means = {
                name: max(values) if best else sum(values) / len(values)
                for name, values in by_question.items()
            }
            figures += [
                (metric.name, metric.value, mean(means))
                for metric in score.metrics.values()
                if metric.name in ("accuracy", "mean") and means
            ]
    for name, said, found in figures:
        compare(name, said, found, parted, len(read))
    if not figures:
        if own:
            compare("scores", mean(own), mean({name: read[name] for name in own}), parted, len(own))
        elif log.results is None:
            imported.without_figures.append(str(log.path))


def _settings(log: Any) -> Record:
    """Return what a log's samples were drawn with: settings as records have them."""
    told: dict[str, Any] = {}
    for config in (log.eval.model_generate_config, log.plan.config if log.plan else None):
        if config is not None:
            told |= {k: v for k, v in config.model_dump(exclude_none=True).items() if k != "extra_body"}
    solver = log.eval.solver or ",".join(step.solver for step in log.plan.steps)
    given = getattr(log.eval, "solver_args_passed", None) or getattr(log.eval, "solver_args", None)
    arguments = getattr(log.eval, "task_args_passed", None) or log.eval.task_args
    return {
        "benchmark": log.eval.task,
        "model": log.eval.model,
        "temperature": told.get("temperature"),
        "budget": told.get("reasoning_effort") or _text(told.get("reasoning_tokens")),
        "max_tokens": told.get("max_tokens"),
        "system_instruction": told.get("system_message"),
        "generation": _listed({k: v for k, v in told.items() if k not in _OWN_FIELDS}),
        "model_args": _listed(getattr(log.eval, "model_args", None) or {}),
        "solver": (solver + (f"({_listed(given)})" if given else "")) or None,
        "task_args": _listed(arguments or {}),
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _listed(values: Any) -> str | None:
    """Return settings as one text."""
    return ",".join(f"{name}={value}" for name, value in sorted(values.items())) or None


# In a record that is not finished: what is missing is a run's tests, which are unchanged.
_UNCHANGED = "unchanged"
# Likewise: what a sample without choices scored, None where it has no answer.
_SCORE = "score"


class _Tests(NamedTuple):
    """The tests of a task: those that passed before, and those that were to be mended."""

    kept: frozenset[str]
    mended: frozenset[str]

    @property
    def unchanged(self) -> dict[str, bool]:
        """What the tests give where nothing was changed."""
        return dict.fromkeys(sorted(self.kept), True) | dict.fromkeys(sorted(self.mended), False)


def _identities(log: Any, sample: Any) -> set[tuple]:
    """Return the names by which a sample is known in every log that holds it.

    A retry and a copy keep the id of the task; its uuid is a sample's own, but older logs have none.
    """
    run = log.eval.task_id or log.eval.run_id or str(log.eval.created)
    found: set[tuple] = {(run, log.eval.task, log.eval.model, str(sample.id), sample.epoch)}
    return found | ({(sample.uuid,)} if sample.uuid is not None else set())


class _LeftOut(Exception):
    """Why a sample is no record."""


def _record(log: Any, sample: Any, scorer: str | None, correctness: bool, notes: list[str]) -> Record:
    """Return what a sample has of its own; what was not read as it stood is added to the notes."""
    if sample.error is not None:
        raise _LeftOut("the sample ended in an error")
    _, score = score_of(sample, scorer)
    limit = getattr(sample, "limit", None)
    made = generations(log, sample)
    record: Record = {
        "question_id": str(sample.id),
        "epoch": sample.epoch,
        "reasoning_tokens": made.reasoning_tokens,
        "output_tokens": made.output_tokens,
        "actions": made.number,
        "topic": next((str(sample.metadata[k]) for k in ("subject", "topic", "category")
                       if sample.metadata and k in sample.metadata), None),
        "text": sample.output.completion if sample.output else None,
        "reasoning": reasoning_of(made.messages),
        "transcript": transcript_of(made.messages),
        "finish_reason": f"limit: {limit.type}" if limit is not None else _stop(sample),
    }  # fmt: skip
    # What has no choices may be of SWE-bench too, which another run then tells.
    if limit is not None and (_is_swe_bench(sample, score) or not (sample.choices or correctness)):
        return record | {_UNCHANGED: True}
    if _holds_tests(score):
        return record | {"tests": _outcomes(score.explanation)}
    if score is None and limit is None:
        raise _LeftOut("the sample has no score" + (f" of {scorer!r}" if scorer else ""))
    if limit is not None:
        notes.append("samples that hit a limit, kept")
    if sample.choices and not (_several(sample) and correctness):
        return record | _choice(sample, score, notes)
    if not correctness:
        raise _LeftOut("the sample has no choices (--correctness takes right or wrong as its outcome)")
    if score is None or is_no_answer(score.value):
        notes.append("samples without an answer, taken as unparsed")
        return record | {_SCORE: None}
    value = value_of(score.value)
    if value is None:
        raise _LeftOut(f"the score {score.value!r} is neither right nor wrong"[:120])
    return record | {_SCORE: value}


def _targets(sample: Any) -> list[str]:
    return [sample.target] if isinstance(sample.target, str) else [str(one) for one in sample.target]


def _several(sample: Any) -> bool:
    """Tell whether several choices are right: a list of letters, or letters in one text."""
    options = [str(choice).strip() for choice in sample.choices]
    labels = LABELS[: len(options)]
    targets = _targets(sample)
    if len(targets) != 1:
        return True
    text = targets[0].strip()
    letters = re.sub(r"[\s,;]", "", text)
    return text not in options and len(letters) > 1 and set(letters) <= set(labels)


def _choice(sample: Any, score: Any, notes: list[str]) -> Record:
    options = [str(choice).strip() for choice in sample.choices]
    labels = tuple(LABELS[: len(options)])
    if _several(sample):
        raise _LeftOut("several choices are right (--correctness takes right or wrong as its outcome)")
    target = label_of(_targets(sample)[0], labels, options)
    if target is None:
        raise _LeftOut(f"the target {sample.target!r} is none of the choices"[:120])
    stated = (score.answer or "") if score is not None and not is_no_answer(score.value) else ""
    answer = label_of(stated, labels, options) or ""
    if score is not None and score.value in ("C", "I") and (score.value == "C") != (answer == target):
        raise _LeftOut("the score and the answer contradict each other")
    if stated and not answer:
        notes.append("answers that are none of the choices, taken as unparsed")
    # The same everywhere, however a log's choices were shuffled.
    apart = told_apart(options, labels.index(target))
    order = hash_order(str(sample.id), apart)
    place = {labels[i]: labels[k] for k, i in enumerate(order)}
    return {
        "options": list(labels),
        "option_texts": [apart[i] for i in order],
        # By which the text calls them: it may say "A" of what is the record's D.
        "shown_labels": [labels[i] for i in order],
        "target": place[target],
        "answer": place[answer] if answer else "",
        "outcome": answer == target,
    }


def _holds_tests(score: Any) -> bool:
    return score is not None and bool(score.explanation) and "PASS_TO_PASS" in score.explanation


def _is_swe_bench(sample: Any, score: Any) -> bool:
    return _holds_tests(score) or "FAIL_TO_PASS" in (sample.metadata or {})


def _groups(explanation: str) -> list[dict[str, Any]]:
    """Return the outcomes of PASS_TO_PASS and of FAIL_TO_PASS tests from a score's explanation.

    Raises:
        _LeftOut: where it does not hold them.
    """
    found = _TESTS.search(explanation)
    try:
        groups = [json.loads(text) for text in found.groups()] if found else []
    except ValueError:
        groups = []
    if not groups or not any(groups):
        raise _LeftOut("the score's explanation does not hold the tests' outcomes")
    return groups


def _outcomes(explanation: str) -> dict[str, bool]:
    """Return each test's outcome from the explanation of SWE-bench's score."""
    return {
        name: value in (True, "PASSED")
        for group in _groups(explanation)
        for name, value in group.items()
    }


def _tests_of(sample: Any, scorer: str | None) -> _Tests | None:
    """Return the tests of a sample's task, from its score or its metadata; None where neither has any."""
    _, score = score_of(sample, scorer)
    if _holds_tests(score):
        try:
            return _Tests(*map(frozenset, _groups(score.explanation)))
        except _LeftOut:
            pass
    names = [_names((sample.metadata or {}).get(kind)) for kind in ("PASS_TO_PASS", "FAIL_TO_PASS")]
    return _Tests(*map(frozenset, names)) if any(names) else None


def _names(value: Any) -> list[str]:
    """Return a list of tests, which the data set writes as a list or as its JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return [str(name) for name in value] if isinstance(value, list) else []


def _stop(sample: Any) -> str | None:
    return sample.output.stop_reason if sample.output and sample.output.choices else None
