"""Finished sweeps of other seeds put together: their draws of the problem as those of one sweep."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from hotmess_jax.machine.provenance import git_commit
from hotmess_jax.synthetic.draws import seed_of
from hotmess_jax.synthetic.results import (
    FailedModel,
    ModelResult,
    PooledRun,
    ProblemResult,
    Rows,
    SweepResults,
    Values,
)
from hotmess_jax.synthetic.study.outputs import NoSweepError, read_sweep

Model = TypeVar("Model", ModelResult, FailedModel)
# Settings that may differ: what draws are made from, their number, and the name of the defaults.
FREE = ("seed", "replicates", "preset", "sizes")


class PoolingError(ValueError):
    """Sweeps that cannot be put together."""


def pool(sweeps: Sequence[SweepResults], paths: Sequence[str]) -> SweepResults:
    """Return the draws of several sweeps as those of one.

    Draws and replicates are numbered anew, those of the first sweep as they were; each problem and each
    model has its seed. What is compared is what sweeps are (settings, seeds, problems), never where
    they lie.

    Args:
        sweeps: as they were read, at least two.
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
    seconds = sum(sweep.provenance.seconds or 0.0 for sweep in sweeps)
    problems: list[ProblemResult] = []
    models: list[ModelResult] = []
    failures: list[FailedModel] = []
    runs: list[PooledRun] = []
    replicates = 0
    for sweep, path in zip(sweeps, paths, strict=True):
        before = len(problems)
        seeds = [seed_of(sweep, index) for index in range(len(sweep.problems))]
        problems += [replace(of, seed=seed) for of, seed in zip(sweep.problems, seeds, strict=True)]
        models += [_renumbered(model, replicates, before, seeds) for model in sweep.models]
        failures += [_renumbered(model, replicates, before, seeds) for model in sweep.failures]
        runs += sweep.pooled_from or [_run(sweep, path)]
        every: list[ModelResult | FailedModel] = [*sweep.models, *sweep.failures]
        replicates += 1 + max((model.replicate for model in every), default=-1)
    order = {size: place for place, size in enumerate(first.config["sizes"])}

    def place_of(model: ModelResult | FailedModel) -> tuple[int, int]:
        return order[model.size], model.replicate

    return SweepResults(
        schema=first.schema,
        config={k: v for k, v in first.config.items() if k not in ("seed", "replicates")},
        provenance=replace(first.provenance, git_commit=commit, report=commit, seconds=seconds),
        problems=tuple(problems),
        models=tuple(sorted(models, key=place_of)),
        failures=tuple(sorted(failures, key=place_of)),
        pooled_from=tuple(runs),
    )


def _renumbered(model: Model, replicates: int, before: int, seeds: Sequence[int | None]) -> Model:
    """Return a model as one of a pool that had so many replicates and problems before."""
    return replace(
        model,
        replicate=replicates + model.replicate,
        problem=before + model.problem,
        seed=seeds[model.problem],
    )


def _run(sweep: SweepResults, path: str) -> PooledRun:
    return PooledRun(
        path=path,
        seed=sweep.config["seed"],
        draws=len(sweep.problems),
        digest=digest(sweep),
        git_commit=sweep.provenance.git_commit,
        provenance=sweep.provenance,
    )


def pool_into(out: Path | None, paths: Sequence[Path], sweeps: Sequence[SweepResults]) -> SweepResults:
    """Return what goes into a folder: of one sweep its results, of several their pool.

    Raises:
        PoolingError: for what cannot be pooled, or a folder that holds something else.
    """
    pooled = sweeps[0] if len(sweeps) == 1 else pool(sweeps, [str(path) for path in paths])
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        digests = {run.digest for run in pooled.pooled_from or ()} or {digest(pooled)}
        try:
            there = read_sweep(out / "sweep.json").pooled_from
        except NoSweepError:
            there = None
        if there is None:
            raise PoolingError(f"{out} exists and holds no pool of sweeps; choose another --out")
        if not {run.digest for run in there} <= digests:
            raise PoolingError(f"{out} holds a pool of other sweeps; choose another --out")
    return pooled


def digest(sweep: SweepResults) -> str:
    """Return what tells a sweep's settings and results apart from any other's (SHA-256)."""
    if sweep.digest is None:
        raise ValueError("only a sweep that was read from its document can be pooled")
    return sweep.digest


def _check_settings(one: SweepResults, other: SweepResults, path: str, other_path: str) -> None:
    if one.schema != other.schema:
        raise PoolingError(f"{path} and {other_path} differ in schema: {one.schema} and {other.schema}")
    a, b = one.config, other.config
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


def _check_draws(sweeps: Sequence[SweepResults], paths: Sequence[str]) -> None:
    """Refuse sweeps that hold the same draw: same seed, same A and b."""
    known: dict[tuple[int | None, Rows, Values], str] = {}
    for sweep, path in zip(sweeps, paths, strict=True):
        own = {
            (seed_of(sweep, index), problem.A, problem.b)
            for index, problem in enumerate(sweep.problems)
        }
        for draw in own & known.keys():
            raise PoolingError(
                f"{known[draw]} and {path} hold the same draw of the problem (seed {draw[0]}); each may be "
                "pooled once"
            )
        known |= dict.fromkeys(own, path)
