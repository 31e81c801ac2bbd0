"""Files of lm-evaluation-harness: rows of samples, with what the results beside them say of a run."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.imported import Imported, files_below, read_bytes

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT.+?)\.jsonl(?:\.gz)?")
# Of `model_args`: the model's name, as the harness itself looks for it, and what is no setting of the model.
_NAMES = ("peft", "delta", "pretrained", "model", "path", "engine")
_NO_SETTING = {
    "base_url", "batch_size", "cache_dir", "data_parallel_size", "device", "gpu_memory_utilization",
    "max_batch_size", "max_retries", "num_concurrent", "parallelize", "seed", "swap_space",
    "tensor_parallel_size", "timeout", "tokenizer_backend", "token", "trust_remote_code", "use_fast_tokenizer",
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """Rows of one task of one run."""

    path: Path
    task: str
    # With the number of each one's line.
    rows: list[tuple[int, Any]]
    # The run's results; empty where there are none.
    results: Mapping[str, Any] = field(default_factory=dict)
    time: str | None = None

    @property
    def model(self) -> str | None:
        """The model's name; never that of the backend."""
        if isinstance(name := self.results.get("model_name"), str) and name:
            return name
        arguments = model_arguments(self.results)
        return next((arguments[name] for name in _NAMES if arguments.get(name)), None)

    @property
    def config(self) -> Mapping[str, Any]:
        """The task's configuration."""
        return _mapping(_mapping(self.results.get("configs")).get(self.task))

    @property
    def figures(self) -> Mapping[str, Any]:
        """The task's results, by metric and filter."""
        return _mapping(_mapping(self.results.get("results")).get(self.task))

    @property
    def number(self) -> int | None:
        """How many documents the log says there are."""
        counted = _mapping(_mapping(self.results.get("n-samples")).get(self.task)).get("effective")
        return counted if isinstance(counted, int) else None

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was told: settings as records have them."""
        shots = _mapping(self.results.get("n-shot")).get(self.task, self.config.get("num_fewshot"))
        arguments = model_arguments(self.results)
        kept = {k: v for k, v in sorted(arguments.items()) if k not in (*_NAMES, *_NO_SETTING)}
        multiturn = " multiturn" if self.results.get("fewshot_as_multiturn") else ""
        return {
            "num_fewshot": shots if isinstance(shots, int) else None,
            "chat_template": _named(self.results, "chat_template", multiturn),
            "system_instruction": _named(self.results, "system_instruction"),
            "model_args": ",".join(f"{k}={v}" for k, v in kept.items()) or None,
        }


def model_arguments(results: Mapping[str, Any]) -> dict[str, str]:
    """Return `model_args`, which is text or a mapping."""
    given = _mapping(results.get("config")).get("model_args")
    if isinstance(given, Mapping):
        return {name: str(value) for name, value in given.items()}
    parts = given.split(",") if isinstance(given, str) else []
    return dict(part.split("=", 1) for part in parts if "=" in part)


def _named(results: Mapping[str, Any], name: str, more: str = "") -> str | None:
    """Return the first digits of a text's hash; None where there is no text."""
    text, sha = results.get(name), results.get(f"{name}_sha")
    if not text and not sha:
        return None
    return (str(sha)[:8] if sha else str(text)[:40]) + more


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def samples_of(paths: list[Path], imported: Imported) -> Iterator[Samples]:
    """Yield what files hold: `samples_TASK_TIME.jsonl`, or results with samples inside, also as gzip."""
    files = files_below(paths, (".jsonl", ".jsonl.gz", ".json", ".json.gz"))
    given = {path.resolve() for path in paths}
    for path in files:
        name = _NAME.fullmatch(path.name)
        lines = path.name.removesuffix(".gz").endswith(".jsonl")
        if lines and name is None:
            imported.leave_out(path, "is not called samples_TASK_TIME.jsonl")
            continue
        try:
            content = read_bytes(path)
            if name is not None:
                results = _beside(path, name["time"])
                rows = _rows(path, content, imported)
                yield Samples(path, name["task"], rows, results, name["time"])
                continue
            found = json.loads(content)
        except ValueError as error:
            imported.leave_out(path, str(error)[:200])
            continue
        if not isinstance(found, Mapping) or not isinstance(found.get("results"), Mapping):
            imported.leave_out(path, "holds no results of lm-evaluation-harness")
            continue
        inside = _mapping(found.get("samples"))
        for task, of_task in inside.items():
            yield Samples(path, task, list(enumerate(of_task, start=1)), found, str(found.get("date")))
        beside = any(_NAME.fullmatch(other.name) for other in path.parent.glob("samples_*"))
        if not inside and (path.resolve() in given or not beside):
            imported.leave_out(path, "holds no samples (the harness' --log_samples keeps them)")


def _rows(path: Path, content: bytes, imported: Imported) -> list[tuple[int, Any]]:
    rows = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            rows.append((number, json.loads(line)))
        except ValueError:
            imported.leave_out(path, "is no sample: the line is no JSON", f"line {number}")
    return rows


def _beside(samples: Path, time: str) -> Mapping[str, Any]:
    """Return the results of the same run; nothing where there are none that can be read."""
    for path in sorted(samples.parent.glob("*.json*")):
        if path.name.removesuffix(".gz").endswith(f"_{time}.json"):
            try:
                return _mapping(json.loads(read_bytes(path)))
            except ValueError:
                continue
    return {}
