"""The figures of a sweep: its numbers brought to the functions of `plots`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from hotmess_jax import plots, plotting
from hotmess_jax.curves import Json
from hotmess_jax.findings import BySize, by_size, quantity
from hotmess_jax.report import interval, number


def draw_figures(
    sweep: Mapping,
    paths: Mapping[str, Float[np.ndarray, "points examples d"]],
    teacher_paths: Float[np.ndarray, "points examples d"],
    codec_teacher_paths: Float[np.ndarray, "points examples d"],
) -> dict[str, Figure]:
    """Draw every figure of a finished sweep.

    Args:
        sweep: the document of sweep.json.
        paths: for each size, states of its first replicate from a few starts.
        teacher_paths: the teacher's from the same starts.
        codec_teacher_paths: those of the teacher rounded through the codec.
    """
    sizes = by_size(sweep["models"])
    A, b = (np.asarray(sweep["problem"][name]) for name in ("A", "b"))
    teacher, codec_teacher = sweep["teacher"], sweep["codec_teacher"]

    def value(path: Float[np.ndarray, "points d"]) -> Float[np.ndarray, " points"]:
        return np.einsum("ti,ij,tj->t", path - b, A, path - b) / 2

    def both(curves: Mapping) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(curves["bias2"]), np.asarray(curves["variance"])

    def last(curves: Mapping) -> tuple[float, float]:
        return curves["bias2"][-1], curves["variance"][-1]

    def last_by_direction(curves: Mapping) -> tuple[np.ndarray, np.ndarray]:
        directions = curves["directions"]
        bias2, variance = (np.asarray(directions[p])[:, -1] for p in ("bias2", "variance"))
        return bias2, variance

    # Of the examples, the start that is furthest from b: it has both a steep and a flat way to go.
    example = int(np.argmax(np.linalg.norm(teacher_paths[0] - b, axis=-1)))
    present = [name for name in sizes.names if name in paths]
    # One small and one large model, so that the drawing stays legible.
    ends = list(dict.fromkeys([present[0], present[-1]]))
    return {
        "trajectory": plots.trajectory(
            A, b, {name: paths[name][:, example] for name in ends}, teacher_paths[:, example]
        ),
        "loss_by_size": plots.loss_by_size(
            sizes.parameters,
            sizes.table(quantity("validation_loss")),
            _fitted(sweep, "validation_loss", sizes),
        ),
        "bias2_variance_by_size": plots.bias2_variance_by_size(
            sizes.parameters,
            sizes.table(quantity("bias2")),
            sizes.table(quantity("variance")),
            {
                name: fitted
                for name in ("bias2", "variance")
                if (fitted := _fitted(sweep, name, sizes)) is not None
            },
            last(teacher),
            last(codec_teacher),
            exponents={
                name: " ".join([number(fit["exponent"], 2), interval(fit["ci95"])]).rstrip(" –")
                for name, fit in sweep["fits"].items()
                if name in ("bias2", "variance")
            },
        ),
        "incoherence_by_step": plots.incoherence_by_step(
            _stacked(sizes, lambda model: model["incoherence"]),
            np.asarray(teacher["incoherence"]),
            np.asarray(codec_teacher["incoherence"]),
        ),
        "final_incoherence_by_size": plots.final_incoherence_by_size(
            sizes.parameters,
            sizes.table(quantity("incoherence")),
            np.stack(
                [
                    sizes.table(lambda m, side=side: m["final"]["incoherence_ci95"][side])
                    for side in (0, 1)
                ],
                axis=-1,
            ),
            teacher["incoherence"][-1],
            codec_teacher["incoherence"][-1],
        ),
        "bias2_variance_by_step": plots.bias2_variance_by_step(
            _stacked(sizes, lambda model: model["bias2"]),
            _stacked(sizes, lambda model: model["variance"]),
            both(teacher),
            both(codec_teacher),
        ),
        "value_along_start": plots.value_along_start(
            {name: value(paths[name][:, example]) for name in present},
            value(teacher_paths[:, example]),
            value(codec_teacher_paths[:, example]),
        ),
        "by_eigen_direction": plots.by_eigen_direction(
            np.asarray(sweep["problem"]["eigenvalues"]),
            _stacked(sizes, lambda model: [r[-1] for r in model["directions"]["bias2"]]),
            _stacked(sizes, lambda model: [r[-1] for r in model["directions"]["variance"]]),
            last_by_direction(teacher),
            last_by_direction(codec_teacher),
        ),
    }


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as PNG and PDF."""
    for name, figure in figures.items():
        plotting.save(figure, folder / name)


def _fitted(sweep: Mapping, name: str, sizes: BySize) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a fitted power law over the range of sizes, None where there is none."""
    fit: Json | None = sweep["fits"].get(name)
    if fit is None:
        return None
    x = np.geomspace(sizes.parameters[0], sizes.parameters[-1], 50)
    return x, fit["coefficient"] * x ** -fit["exponent"]


def _stacked(sizes: BySize, curve: Callable[[Json], list[float]]) -> dict[str, np.ndarray]:
    return {
        name: np.asarray([curve(model) for model in models], np.float64)
        for name, models in zip(sizes.names, sizes.models, strict=True)
    }
