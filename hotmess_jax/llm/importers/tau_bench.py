"""Results of tau-bench and tau2-bench: an agent's trials of each task, with reward and trajectory."""

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.imported import Imported, Record, files_below, read_bytes
from hotmess_jax.llm.importers.reconcile import mean, parting

# How tau-bench names the file of a run, and what those of its published runs end in.
_RUN_NAME = re.compile(
    r"(?:tool-calling|act|react|few-shot)-(?P<model>.+?)-(?P<temperature>\d+(?:\.\d+)?)_range_-?\d+--?\d+_user-"
)
_DOMAINS = ("airline", "retail", "telecom")
# The first line of the policy that an agent is given.
_POLICY = re.compile(r"#\s*(\w+) agent policy", re.IGNORECASE)
# Trials that tau2-bench leaves out of its own figures, since there was nothing to evaluate.
_NOT_EVALUATED = ("infrastructure_error", "context_window_exceeded")
_LIMITS = ("max_steps", "timeout")
_ENDED_WELL = ("user_stop", "agent_stop")


def import_tau_bench(
    paths: Sequence[Path], model: str | None = None, domain: str | None = None
) -> Imported:
    """Read results of tau-bench (a list of trials) and tau2-bench (simulations with what they were of).

    A trial is a record of its task, with the reward as `outcome` alone: true and false, or a number between
    them. `actions` is the number of the agent's tool calls, not the simulated user's; `turns` that of its
    messages; `expected_actions` how many tool calls the task's own solution has, which is known before any
    trial. tau2-bench has `output_tokens` and `cost` of the agent too, where every message that was
    generated tells them, tau-bench neither. How a trial ended is its `finish_reason`: one that ended by a
    limit or an error, which the benchmark counts as a failure with the reward 0, is kept as that and said;
    one that tau2-bench itself does not evaluate, or that has no reward, is left out.

    Args:
        paths: files of results, also as gzip, or folders; of tau2-bench's folders `results.json`.
        model: its name; None is that in the file, or for tau-bench, whose files have none, that in the
            file's name.
        domain: None is that in the file: tau2-bench names it, and tau-bench's policy begins with it.

    Raises:
        ValueError: where a path is nowhere, or files of several domains do not tell which.
    """
    imported = Imported()
    seen: dict[str, Path] = {}
    tasks: dict[tuple[str, str], tuple[str, Path]] = {}
    for path in files_below(paths, (".json", ".json.gz")):
        try:
            content = read_bytes(path)
            document = json.loads(content)
        except ValueError as error:
            imported.leave_out(path, f"cannot be read: {error}"[:200])
            continue
        digest = hashlib.blake2b(content).hexdigest()
        if digest in seen:
            imported.notes[f"{path} is a copy of {seen[digest]}, and was not read again"] += 1
            continue
        seen[digest] = path
        if isinstance(document, list):
            run = _first_benchmark(path, document, model, domain, imported)
        elif isinstance(document, Mapping) and "info" in document and "tasks" in document:
            run = _second_benchmark(path, document, model, domain, imported)
        elif path.parent.name == "simulations" and (path.parent.parent / "results.json").is_file():
            continue  # read with the results that it is of
        else:
            imported.leave_out(path, "is neither tau-bench's list of trials nor tau2-bench's results")
            continue
        for task, said in run.tasks.items():
            known, where = tasks.setdefault((run.benchmark, task), (said, path))
            if known != said:
                raise ValueError(
                    f"task {task} of {path} is another than that of {where}: --domain tells domains apart, "
                    "which are then imported one by one"
                )
        _add(run, imported)
    return imported


@dataclass
class _Run:
    """One file: an agent's trials."""

    path: Path
    benchmark: str
    model: str
    # Each trial's place in the file, its number, and its record without that.
    trials: list[tuple[str, int | None, Record]] = field(default_factory=list)
    # What each task is, to tell those of other domains from it.
    tasks: dict[str, str] = field(default_factory=dict)
    # What the file says of itself: how many trials, each one's reward, and that again where it stands twice.
    figures: list[tuple[str, int]] = field(default_factory=list)
    rewards: dict[str, float] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)


def _first_benchmark(
    path: Path, trials: Sequence[Any], model: str | None, domain: str | None, imported: Imported
) -> _Run:
    named = _RUN_NAME.match(path.name)
    stem = path.name.removesuffix(".gz").removesuffix(".json")
    ends = next((f"-{name}" for name in _DOMAINS if stem.endswith(f"-{name}")), "")
    if model is None:
        model = named["model"] if named else stem.removesuffix(ends)
        imported.notes[f"{path.name}: the model, which tau-bench's files do not name, is called {model} "
                       "by the file's name (--model says another)"] += 1  # fmt: skip
    if domain is None:
        domain = _policy_of(trials) or ends.removeprefix("-") or None
    run = _Run(path, "tau-bench" + (f"-{domain}" if domain else ""), model)
    run.figures.append(("trials", len(trials)))
    for number, trial in enumerate(trials, 1):
        where = f"trial {number}"
        try:
            info, messages = trial["info"] or {}, trial["traj"] or []
            task = info.get("task") or {}
            name = str(trial["task_id"])
            record: Record = {
                "question_id": name,
                "outcome": _outcome(trial["reward"]),
                **_counts(messages),
                "expected_actions": len(task["actions"]) if "actions" in task else None,
                "user_cost": info.get("user_cost"),
                "temperature": float(named["temperature"]) if named else None,
                "finish_reason": _ended(info),
            }
            count = int(trial["trial"]) if trial.get("trial") is not None else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            imported.leave_out(path, _why(error), where)
            continue
        if "instruction" in task:
            run.tasks.setdefault(name, str(task["instruction"]))
        run.rewards[where] = float(trial["reward"])
        rewarded = (info.get("reward_info") or {}).get("reward")
        if rewarded is not None:
            run.again[where] = float(rewarded)
        run.trials.append((where, count, record))
    return run


def _policy_of(trials: Sequence[Any]) -> str | None:
    """Return the domain that the policy in the trials' system messages names."""
    for trial in trials:
        for message in (trial.get("traj") or [])[:1] if isinstance(trial, Mapping) else []:
            if found := _POLICY.match(str(message.get("content")).strip()):
                return found[1].lower()
    return None


def _ended(info: Mapping[str, Any]) -> str:
    """Return how a trial of tau-bench ended: it rewards none that stopped at its limit of steps."""
    if "error" in info:
        return "error"
    return "stop" if info.get("reward_info") is not None else "limit: steps"


def _second_benchmark(
    path: Path, document: Mapping[str, Any], model: str | None, domain: str | None, imported: Imported
) -> _Run:
    info = document["info"]
    agent = info.get("agent_info") or {}
    domain = domain or (info.get("environment_info") or {}).get("domain_name")
    run = _Run(
        path,
        "tau2-bench" + (f"-{domain}" if domain else ""),
        model or agent.get("llm") or agent.get("implementation") or "",
    )
    if not run.model:
        raise ValueError(f"{path} does not name the agent's model: give --model")
    expected = {}
    for task in document["tasks"]:
        criteria = task.get("evaluation_criteria") or {}
        # A user's own calls are none of the agent's.
        actions = [
            a for a in criteria.get("actions") or [] if a.get("requestor", "assistant") == "assistant"
        ]
        expected[str(task["id"])] = len(actions) if criteria.get("actions") is not None else None
        run.tasks[str(task["id"])] = json.dumps(task.get("user_scenario"), sort_keys=True)
    simulations = list(_simulations(path, document, imported))
    for where, simulation in simulations:
        try:
            reason = str(simulation.get("termination_reason"))
            if reason in _NOT_EVALUATED:
                raise _LeftOut(f"the trial ended by {reason}, which the benchmark does not evaluate")
            if simulation.get("reward_info") is None:
                raise _LeftOut(f"the trial has no reward (it ended by {reason})")
            name = str(simulation["task_id"])
            messages = simulation.get("messages") or []
            record: Record = {
                "question_id": name,
                "outcome": _outcome(simulation["reward_info"]["reward"]),
                **_counts(messages),
                "output_tokens": _tokens(messages),
                "cost": simulation.get("agent_cost"),
                "user_cost": simulation.get("user_cost"),
                "expected_actions": expected.get(name),
                "temperature": (agent.get("llm_args") or {}).get("temperature"),
                "seed": simulation.get("seed"),
                "finish_reason": "stop" if reason in _ENDED_WELL else
                ("limit: " if reason in _LIMITS else "error: ") + reason,
            }  # fmt: skip
            count = int(simulation["trial"]) if simulation.get("trial") is not None else None
        except _LeftOut as why:
            imported.leave_out(path, str(why), where)
            continue
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            imported.leave_out(path, _why(error), where)
            continue
        run.rewards[where] = float(simulation["reward_info"]["reward"])
        run.trials.append((where, count, record))
    if isinstance(info.get("num_trials"), int):
        run.figures.append(("tasks × trials", info["num_trials"] * len(document["tasks"])))
    return run


def _simulations(path: Path, document: Mapping[str, Any], imported: Imported) -> list[tuple[str, Any]]:
    """Return the trials: those in the file, else those in the folder `simulations` beside it."""
    inside = document.get("simulations") or []
    if inside:
        return [(f"simulation {i}", one) for i, one in enumerate(inside, 1)]
    found = []
    for beside in sorted((path.parent / "simulations").glob("*.json")):
        try:
            found.append((beside.name, json.loads(read_bytes(beside))))
        except ValueError as error:
            imported.leave_out(beside, f"cannot be read: {error}"[:200])
    return found


class _LeftOut(Exception):
    """Why a trial is no record."""


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the trial has no {error.args[0]}"
    return (
        f"is no trial: {error}"[:200]
        if isinstance(error, ValueError)
        else f"is no trial ({error!r})"[:200]
    )


def _outcome(reward: Any) -> bool | float:
    number = float(reward)
    if not 0 <= number <= 1:
        raise ValueError("the reward is not between 0 and 1")
    return bool(number) if number in (0, 1) else number


def _counts(messages: Sequence[Mapping[str, Any]]) -> Record:
    """Return how many tool calls and messages the agent made; None where there is no trajectory."""
    own = [message for message in messages if message["role"] == "assistant"]
    if not messages:
        return {"actions": None, "turns": None}
    return {
        "actions": sum(len(message.get("tool_calls") or []) for message in own),
        "turns": len(own),
    }


def _tokens(messages: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the tokens that the agent generated; None where a message does not tell its own.

    The greeting that every conversation begins with was not generated.
    """
    own = [message for message in messages if message["role"] == "assistant"]
    own = (
        own[1:] if messages and messages[0]["role"] == "assistant" and not own[0].get("usage") else own
    )
    counts = [(message.get("usage") or {}).get("completion_tokens") for message in own]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _add(run: _Run, imported: Imported) -> None:
    """Add a run's records, say how trials ended, and hold them against the file's own figures."""
    ended: Counter[str] = Counter()
    numbers: Counter[tuple[str, int | None]] = Counter()
    added: list[float] = []
    for _, number, record in run.trials:
        ended[record["finish_reason"]] += 1
        numbers[record["question_id"], number] += 1
        imported.add({"benchmark": run.benchmark, "model": run.model, "trial": number} | record, number)
        added.append(float(imported.records[-1]["outcome"]))
    for reason, count in ended.items():
        if reason != "stop":
            imported.notes[f"trials that ended by {reason}, counted as the benchmark rewards them"] += (
                count
            )
    if twice := sum(
        count - 1 for (_, number), count in numbers.items() if number is not None and count > 1
    ):
        imported.notes[f"{run.path.name}: trials of one number, numbered anew"] += twice

    compare = functools.partial(imported.compare, run.path, run.benchmark, run.model)
    for figure, said in run.figures:
        compare(figure, said, len(run.trials))
    read = {where: float(record["outcome"]) for where, _, record in run.trials}
    compare("mean reward", mean(run.rewards), mean(dict(enumerate(added))), (), len(added))
    if run.again:
        names = {
            where: f"{record['question_id']} (trial {number})" for where, number, record in run.trials
        }
        parted = tuple(names[where] for where in parting(run.again, read))
        common = {where: read[where] for where in run.again}
        compare("mean reward_info.reward", mean(run.again), mean(common), parted, len(run.again))
