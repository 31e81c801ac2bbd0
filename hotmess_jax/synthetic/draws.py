"""A sweep's models by draw of the problem: which belong together, and what is measured of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hotmess_jax.synthetic.curves import Json


@dataclass(frozen=True)
class Draw:
    """One draw of the problem: its teachers, and its models of each size, smallest first."""

    problem: int  # its place among the sweep's problems
    seed: int | None
    A: list[list[float]]
    b: list[float]
    eigenvalues: list[float]
    teacher: Json
    codec_teacher: Json
    loss_floor: float | None
    seams_teacher: Mapping[str, float] | None  # see `ends.seam_shares`, along the teacher's paths
    models: tuple[tuple[Json, ...], ...]

    @property
    def complete(self) -> bool:
        """Whether it has a model of every size."""
        return all(self.models)


Reader = Callable[[Json, Draw], float | None]


@dataclass(frozen=True)
class Draws:
    """All draws of a sweep, over the same sizes."""

    names: tuple[str, ...]
    parameters: Float[np.ndarray, " sizes"]
    draws: tuple[Draw, ...]

    @property
    def complete(self) -> "Draws":
        """Those that have a model of every size, which alone are compared between sizes."""
        return replace(self, draws=tuple(draw for draw in self.draws if draw.complete))

    @property
    def comparable(self) -> "Draws":
        """Those that are shown where sizes stand beside one another: complete ones, or all where none is."""
        return self.complete if any(draw.complete for draw in self.draws) else self

    @property
    def left_out(self) -> int:
        """How many lack a size."""
        return sum(not draw.complete for draw in self.draws)

    @property
    def replicates(self) -> int:
        """The most models of a size in a draw."""
        return max((len(models) for draw in self.draws for models in draw.models), default=0)

    def table(self, read: Reader) -> Float[np.ndarray, "draws sizes replicates"]:
        """Return a value of each model; NaN where a replicate is missing or has no such value."""
        values = np.full((len(self.draws), len(self.names), self.replicates), np.nan)
        for i, draw in enumerate(self.draws):
            for j, models in enumerate(draw.models):
                for k, model in enumerate(models):
                    value = read(model, draw)
                    values[i, j, k] = np.nan if value is None else value
        return values

    def lacks(self, read: Reader) -> bool:
        """Return whether some model has no such value."""
        return any(
            read(model, draw) is None
            for draw in self.draws
            for models in draw.models
            for model in models
        )


def draws_of(sweep: Mapping) -> Draws:
    """Group a sweep's models by their draw of the problem and by size, smallest first.

    A sweep of schema 1 has one problem at its top level. Draws without any model are kept.

    Raises:
        ValueError: where there is no model.
    """
    models = sweep["models"]
    if not models:
        raise ValueError("the sweep has no finished model")
    parameters = {model["size"]: model["parameters"] for model in models}
    names = tuple(sorted(parameters, key=parameters.__getitem__))
    draws = []
    for index, problem in enumerate(problems_of(sweep)):
        own = [model for model in models if model.get("problem", 0) == index]
        floor = floor_of(problem)
        draws.append(
            Draw(
                index,
                problem.get("seed", sweep["config"].get("seed")),
                problem["A"],
                problem["b"],
                problem["eigenvalues"],
                problem["teacher"],
                problem["codec_teacher"],
                None if floor is None else floor["value"],
                problem.get("seams_teacher"),
                tuple(
                    tuple(
                        sorted(
                            (model for model in own if model["size"] == name),
                            key=lambda model: model["replicate"],
                        )
                    )
                    for name in names
                ),
            )
        )
    return Draws(names, np.asarray([parameters[name] for name in names], np.float64), tuple(draws))


def floor_of(problem: Mapping) -> Json | None:
    """Return a problem's loss floor; None where it was not measured, or of uniform points alone.

    Those, which earlier versions had, make it up to three times too large.
    """
    floor: Json | None = problem.get("loss_floor")
    return floor if floor is not None and "counted" in floor else None


def problems_of(sweep: Mapping) -> list[Json]:
    """Return the sweep's problems with their teachers: of schema 1, with one draw, the top level's."""
    if "problems" in sweep:
        return list(sweep["problems"])
    teachers = {name: sweep[name] for name in ("teacher", "codec_teacher")}
    return [{**sweep["problem"], **teachers}]


def of_final(name: str) -> Reader:
    """Return how to read a number of a model's last step, None where it was not measured."""

    def read(model: Json, draw: Draw) -> float | None:
        value: float | None = model["final"].get(name)
        return value

    return read


def strayed_share(starts: int) -> Reader:
    """Return how to read the share of starts that strayed as (count + ½) / (starts + 1).

    Shares of 0 and 1 then have logarithms: the posterior mean under Jeffreys' prior.
    """

    def read(model: Json, draw: Draw) -> float | None:
        share = model["final"].get("strayed")
        return None if share is None else (share * starts + 0.5) / (starts + 1)

    return read


def _above_floor(model: Json, draw: Draw) -> float | None:
    return None if draw.loss_floor is None else model["validation_loss"] - draw.loss_floor


def quantities(config: Mapping) -> dict[str, Reader]:
    """Return the quantities whose power laws are fitted, by name, in the order of the reports.

    validation_loss: over the update's tokens; validation_loss_all: over the state's as well;
    validation_loss_above_floor: the first less the loss of a perfect model of the same problem.
    """
    return {
        "validation_loss": lambda model, draw: model["validation_loss"],
        "validation_loss_all": lambda model, draw: model.get("validation_loss_all"),
        "validation_loss_above_floor": _above_floor,
        **{name: of_final(name) for name in ("bias2", "variance", "error", "median_error")},
        "strayed": strayed_share(config["starts"]),
    }


QUANTITIES = tuple(quantities({"starts": 1}))


def rise_of_teacher(draw: Draw) -> float | None:
    """Return how much the teacher's own incoherence rises, step 0 to last, in a draw; None where it has none."""
    first, *_, last = draw.teacher["incoherence"]
    return None if first is None or last is None else float(last - first)
