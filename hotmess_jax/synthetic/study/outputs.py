"""What a finished sweep, or a pool of several, is written as and read from: sweep.json, report.md, figures."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hotmess_jax.documents import Document
from hotmess_jax.machine.files import write_json, write_text
from hotmess_jax.presentation import plotting
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.draws import draws_of
from hotmess_jax.synthetic.findings import bias_at_floor
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.notes import notes_of
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.results import SweepResults, fields_of
from hotmess_jax.synthetic.rollout import oracle_rollout
from hotmess_jax.synthetic.study.figures import Examples, draw_figures, save_figures
from hotmess_jax.synthetic.study.folder import read_arrays
from hotmess_jax.synthetic.study.report import report
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep, from_document, to_document
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories
from hotmess_jax.synthetic.verdicts import claims, judged_findings, learned, worse_than_chance


class NoSweepError(ValueError):
    """What is no document of a finished sweep."""


def read_sweep(path: Path, needs: Sequence[str] = ()) -> ConcludedSweep:
    """Read a sweep's document.

    Args:
        path: of sweep.json, or of the folder that holds it.
        needs: what has to be in it, besides what every sweep has.

    Raises:
        NoSweepError: where it is not there, lacks something, or is of a newer version.
    """
    document = read_json(path, needs)
    try:
        return from_document(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoSweepError(f"{path} is no finished sweep: {error}") from error


def read_json(path: Path, needs: Sequence[str]) -> Document:
    """Read a sweep's document as JSON values.

    Args:
        path: of sweep.json, or of the folder that holds it.
        needs: what has to be in it.

    Raises:
        NoSweepError: where it is not there, or lacks something.
    """
    folder = folder_of(path)
    path = path / "sweep.json" if path.is_dir() else path
    try:
        sweep = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / "run.json").exists():
            raise NoSweepError(
                f"{path} is not there yet: the sweep in {folder} is not finished; the command that began it "
                "(python -m experiments.synthetic_sweep with the same settings) goes on with it"
            ) from None
        raise NoSweepError(f"{path} is no finished sweep: there is no such file") from None
    except OSError as error:
        raise NoSweepError(f"{path} is no finished sweep: {error.strerror}") from error
    except ValueError as error:  # of text and of JSON
        raise NoSweepError(f"{path} is no finished sweep: it is empty, cut or no JSON") from error
    if not isinstance(sweep, dict):
        raise NoSweepError(f"{path} is no finished sweep: it holds a {type(sweep).__name__}")
    for name in needs:
        if name not in sweep:
            raise NoSweepError(f"{path} is no finished sweep: it has no {name!r}")
        kind = _KINDS.get(name, object)
        if not isinstance(sweep[name], kind):
            raise NoSweepError(f"{path} is no finished sweep: its {name!r} is no {kind.__name__}")
    models = sweep.get("models", [])
    for model in models if isinstance(models, list) else [None]:
        if not isinstance(model, dict) or not {"size", "replicate"} <= model.keys():
            raise NoSweepError(f"{path} is no finished sweep: its 'models' are not those of a sweep")
    found: Document = sweep
    return found


def read_sizes(path: Path) -> ConcludedSweep:
    """Read a sweep of several sizes.

    Raises:
        NoSweepError: where it is none, or has fewer than two finished sizes.
    """
    sweep = read_sweep(path, ("schema", "config", "provenance", "models", "failures", "problem"))
    if len({model.size for model in sweep.models}) < 2:
        raise NoSweepError(f"{path} holds fewer than 2 finished sizes; a scaling law needs more")
    return sweep


def folder_of(path: Path) -> Path:
    """Return the folder of a sweep that is named by it, or by its sweep.json."""
    return path if path.is_dir() else path.parent


_KINDS: dict[str, type] = {
    "config": dict,
    "models": list,
    "failures": list,
    "claims": list,
    "fits": dict,
}


def lacking(folder: Path) -> list[str]:
    """Return which outputs of a finished sweep a folder lacks: sweep.json, report.md, figures of the report."""
    missing = [name for name in ("sweep.json", "report.md") if not (folder / name).is_file()]
    if "report.md" in missing:
        return missing
    named = re.findall(r"\(figures/(\w+)\.png\)", (folder / "report.md").read_text(encoding="utf-8"))
    figures = [f"figures/{name}.{kind}" for name in named for kind in ("png", "pdf")]
    return missing + [name for name in figures if not (folder / name).is_file()]


def conclude(sweep: SweepResults) -> ConcludedSweep:
    """Return a sweep with its findings and claims, anew from its models.

    Models that are worse than chance stay among the models, are named, and are in no finding.
    """
    measured = fields_of(sweep, SweepResults)
    worse = tuple(model.name for model in worse_than_chance(sweep))
    if not sweep.models:
        none = Found(rises=None)
        return ConcludedSweep(**measured, found=none, notes=notes_of(sweep, none))
    found = judged_findings(sweep)
    told = found.told()
    return ConcludedSweep(
        **measured,
        found=told,
        claims=tuple(claims(sweep, found)),
        worse_than_chance=worse,
        bias_at_floor=bias_at_floor(draws_of(sweep), sweep.config["starts"]),
        notes=notes_of(learned(sweep), told),
    )


def write_outputs(sweep: ConcludedSweep, folder: Path, run: Path) -> None:
    """Write sweep.json, report.md and the figures into a folder, each file whole or not at all.

    Args:
        sweep: of `conclude`.
        folder: where to; what is there of these names is replaced.
        run: folder of the run, or of a pool's first, whose paths of rollouts two figures need.

    Raises:
        DamagedFileError: where one of these paths cannot be read; nothing is written then.
    """
    examples = examples_of(sweep, run)
    figures = draw_figures(learned(sweep), examples) if sweep.models else {}
    for figure in figures.values():  # which lie about alone, and look alike
        plotting.signed(figure, folder.absolute().name)
    save_figures(figures, folder / "figures")
    write_text(folder / "report.md", report(sweep, figures))
    # Last, so that where it is, the others are.
    write_json(folder / "sweep.json", to_document(sweep), indent=None)


def examples_of(sweep: SweepResults, folder: Path) -> Examples | None:
    """Read the example paths of a run's first draw of the problem, and compute its teachers' beside them.

    Args:
        sweep: the run's results, or those of a pool that the run is the first of.
        folder: the run's folder.

    Returns:
        The paths of each size's first model of draw 0; None where the models' folder is not at hand.

    Raises:
        DamagedFileError: where one of them is missing or cannot be read.
    """
    files: dict[str, Path] = {}
    for model in sorted(learned(sweep).models, key=lambda model: model.replicate):
        if model.problem == 0 and model.size not in files:
            files[model.size] = folder / "models" / model.name / "paths.npz"
    if not any(file.parent.exists() for file in files.values()):
        return None
    paths: dict[str, Float[np.ndarray, "points examples d"]] = {
        size: read_arrays(file, ("paths",), "restore it, or move the folder models away")["paths"]
        for size, file in files.items()
    }
    config, first = sweep.config, sweep.problems[0]
    problem = Quadratic(*(jnp.asarray(part, jnp.float32) for part in (first.A, first.b)))
    rule = Teacher(config["step_norm"], config.get("teacher", "steepest"))
    starts = jnp.asarray(next(iter(paths.values()))[0])
    steps, codec = config["rollout_steps"], FloatCodec(config["precision"])
    return Examples(
        paths,
        np.asarray(teacher_trajectories(problem, starts, rule, steps)),
        np.asarray(oracle_rollout(problem, rule, codec, starts, steps).states),
    )
