"""What a finished sweep, or a pool of several, is written as and read from: sweep.json, report.md, figures."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hotmess_jax.machine.files import write_json, write_text
from hotmess_jax.presentation import plotting
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import draws_of, problems_of
from hotmess_jax.synthetic.findings import bias_at_floor
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.rollout import oracle_rollout
from hotmess_jax.synthetic.study.figures import Examples, draw_figures, save_figures
from hotmess_jax.synthetic.study.folder import read_arrays
from hotmess_jax.synthetic.study.report import report
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories
from hotmess_jax.synthetic.verdicts import claims, judged_findings, learned, worse_than_chance


class NoSweepError(ValueError):
    """What is no document of a finished sweep."""


def read_sweep(path: Path, needs: Sequence[str]) -> Json:
    """Read a sweep's document.

    Args:
        path: of sweep.json, or of the folder that holds it.
        needs: what has to be in it.

    Raises:
        NoSweepError: where it is not there, or lacks something.
    """
    folder = path if path.is_dir() else path.parent
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
    return sweep


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


def conclude(sweep: Mapping) -> Json:
    """Return a sweep's document with its findings and claims, anew from its models.

    Models that are worse than chance stay in the document, are named, and are in no finding.
    """
    named = [f"{model['size']}-{model['replicate']}" for model in worse_than_chance(sweep)]
    document: Json = dict(sweep) | {"fits": {}, "claims": [], "worse_than_chance": named}
    if document["models"]:
        found = judged_findings(document)
        document |= found.to_json()
        document["claims"] = [claim.to_json() for claim in claims(document, found)]
        at_floor = bias_at_floor(draws_of(document), document["config"]["starts"])
        document["bias_at_floor"] = list(at_floor)
    return document


def write_outputs(document: Mapping, folder: Path, examples: Examples | None) -> None:
    """Write sweep.json, report.md and the figures into a folder, each file whole or not at all.

    Args:
        document: of `conclude`.
        folder: where to; what is there of these names is replaced.
        examples: paths of rollouts; None leaves two figures out.
    """
    figures = draw_figures(learned(document), examples) if document["models"] else {}
    for figure in figures.values():  # which lie about alone, and look alike
        plotting.signed(figure, folder.absolute().name)
    save_figures(figures, folder / "figures")
    write_text(folder / "report.md", report(document, figures))
    # Last, so that where it is, the others are.
    write_json(folder / "sweep.json", document, indent=None)


def examples_of(sweep: Mapping, folder: Path) -> Examples | None:
    """Read the example paths of a run's first draw of the problem, and compute its teachers' beside them.

    Args:
        sweep: the run's document, or of a pool the run is the first of.
        folder: the run's folder.

    Returns:
        The paths of each size's first model of draw 0; None where the models' folder is not at hand.

    Raises:
        DamagedFileError: where one of them is missing or cannot be read.
    """
    files: dict[str, Path] = {}
    for model in sorted(learned(sweep)["models"], key=lambda model: int(model["replicate"])):
        if model.get("problem", 0) == 0 and model["size"] not in files:
            name = f"{model['size']}-{model['replicate']}"
            files[model["size"]] = folder / "models" / name / "paths.npz"
    if not any(file.parent.exists() for file in files.values()):
        return None
    paths: dict[str, Float[np.ndarray, "points examples d"]] = {
        size: read_arrays(file, ("paths",), "restore it, or move the folder models away")["paths"]
        for size, file in files.items()
    }
    config, first = sweep["config"], problems_of(sweep)[0]
    problem = Quadratic(*(jnp.asarray(first[name], jnp.float32) for name in ("A", "b")))
    rule = Teacher(config["step_norm"], config.get("teacher", "steepest"))
    starts = jnp.asarray(next(iter(paths.values()))[0])
    steps, codec = config["rollout_steps"], FloatCodec(config["precision"])
    return Examples(
        paths,
        np.asarray(teacher_trajectories(problem, starts, rule, steps)),
        np.asarray(oracle_rollout(problem, rule, codec, starts, steps).states),
    )
