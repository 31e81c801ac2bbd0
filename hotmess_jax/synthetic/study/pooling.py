"""Finished sweeps of other seeds put together: their draws of the problem as those of one sweep."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hotmess_jax.machine.provenance import git_commit
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import problems_of

# Settings that may differ: what draws are made from, their number, and the name of the defaults.
FREE = ("seed", "replicates", "preset", "sizes")


class PoolingError(ValueError):
    """Sweeps that cannot be put together."""


def pool(sweeps: Sequence[Mapping], paths: Sequence[str]) -> Json:
    """Return one document that holds the draws of several sweeps, without findings.

    Draws and replicates are numbered anew, those of the first sweep as they were; each problem and each
    model has its seed. What is compared is what sweeps are (settings, seeds, problems), never where
    they lie.

    Args:
        sweeps: documents of sweep.json, at least two.
        paths: where each lies, to name it by.

    Raises:
        PoolingError: naming the first setting that differs, sizes that one lacks, or a draw that two
            share.
    """
    if len(sweeps) < 2:
        raise PoolingError(f"a pool needs at least two sweeps, got {len(sweeps)}")
    for sweep, path in zip(sweeps[1:], paths[1:], strict=True):
        _check_settings(sweeps[0], sweep, paths[0], path)
    _check_draws(sweeps, paths)
    first, commit = sweeps[0], git_commit()
    pooled: Json = {
        "schema": first["schema"],
        "config": {k: v for k, v in first["config"].items() if k not in ("seed", "replicates")},
        "provenance": {
            **first["provenance"],
            "git_commit": commit,
            "report": commit,
            "seconds": sum(sweep["provenance"]["seconds"] for sweep in sweeps),
        },
        "problem": first["problem"],
        "teacher": first["teacher"],
        "codec_teacher": first["codec_teacher"],
        "problems": [],
        "models": [],
        "failures": [],
        "pooled_from": [],
    }
    replicates = 0
    for sweep, path in zip(sweeps, paths, strict=True):
        replicates = _add(pooled, sweep, path, replicates)
    order = {size: place for place, size in enumerate(first["config"]["sizes"])}
    for kind in ("models", "failures"):
        pooled[kind].sort(key=lambda model: (order[model["size"]], model["replicate"]))
    return pooled


def pool_into(out: Path | None, paths: Sequence[Path], sweeps: Sequence[Mapping]) -> Json:
    """Return what goes into a folder: of one sweep its document, of several their pool.

    Raises:
        PoolingError: for what cannot be pooled, or a folder that holds something else.
    """
    pooled = dict(sweeps[0]) if len(sweeps) == 1 else pool(sweeps, [str(path) for path in paths])
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        digests = {run["digest"] for run in _runs(pooled)}
        try:
            document = json.loads((out / "sweep.json").read_text())
            there = {run["digest"] for run in document["pooled_from"]}
        except (OSError, ValueError, KeyError, TypeError):
            raise PoolingError(
                f"{out} exists and holds no pool of sweeps; choose another --out"
            ) from None
        if not there <= digests:
            raise PoolingError(f"{out} holds a pool of other sweeps; choose another --out")
    return pooled


def _runs(document: Mapping) -> list[Json]:
    return document.get("pooled_from") or [{"digest": digest(document)}]


def _add(pooled: Json, sweep: Mapping, path: str, replicates: int) -> int:
    """Add a sweep to a pool that has so many replicates, and return how many it has then."""
    before, seeds = len(pooled["problems"]), _seeds(sweep)
    pooled["problems"] += [
        {**problem, "seed": seed} for problem, seed in zip(problems_of(sweep), seeds, strict=True)
    ]
    for kind in ("models", "failures"):
        pooled[kind] += [
            {
                **model,
                "replicate": replicates + model["replicate"],
                "problem": before + model.get("problem", 0),
                "seed": seeds[model.get("problem", 0)],
            }
            for model in sweep[kind]
        ]
    pooled["pooled_from"] += sweep.get("pooled_from") or [
        {
            "path": path,
            "seed": sweep["config"]["seed"],
            "draws": len(seeds),
            "digest": digest(sweep),
            "git_commit": sweep["provenance"]["git_commit"],
            "provenance": sweep["provenance"],
        }
    ]
    every = [*sweep["models"], *sweep["failures"]]
    return replicates + 1 + max((model["replicate"] for model in every), default=-1)


def digest(sweep: Mapping) -> str:
    """Return what tells a sweep's settings and results apart from any other's (SHA-256)."""
    parts = [sweep["config"], problems_of(sweep), sweep["models"], sweep["failures"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _seeds(sweep: Mapping) -> list[int]:
    """Return the seed that each of a sweep's problems was drawn from."""
    return [problem.get("seed", sweep["config"].get("seed")) for problem in problems_of(sweep)]


def _check_settings(one: Mapping, other: Mapping, path: str, other_path: str) -> None:
    if one["schema"] != other["schema"]:
        raise PoolingError(
            f"{path} and {other_path} differ in schema: {one['schema']} and {other['schema']}"
        )
    a, b = one["config"], other["config"]
    if sorted(a["sizes"]) != sorted(b["sizes"]):
        apart = sorted(set(a["sizes"]) ^ set(b["sizes"]))
        raise PoolingError(
            f"{path} and {other_path} differ in sizes: {' '.join(a['sizes'])} and "
            f"{' '.join(b['sizes'])}; only one has {' '.join(apart)}"
        )
    for name in sorted({**a, **b}):
        if name not in FREE and a.get(name) != b.get(name):
            raise PoolingError(
                f"{path} and {other_path} differ in {name.replace('_', '-')}: {a.get(name)!r} and "
                f"{b.get(name)!r}"
            )


def _check_draws(sweeps: Sequence[Mapping], paths: Sequence[str]) -> None:
    """Refuse sweeps that hold the same draw: same seed, same A and b."""
    known: dict[tuple[int, str], str] = {}
    for sweep, path in zip(sweeps, paths, strict=True):
        own = {
            (seed, json.dumps([problem["A"], problem["b"]]))
            for problem, seed in zip(problems_of(sweep), _seeds(sweep), strict=True)
        }
        for draw in own & known.keys():
            raise PoolingError(
                f"{known[draw]} and {path} hold the same draw of the problem (seed {draw[0]}); each may be "
                "pooled once"
            )
        known |= dict.fromkeys(own, path)
