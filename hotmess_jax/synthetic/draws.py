"""A sweep's models by draw of the problem: which belong together, and what is measured of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from hotmess_jax.synthetic.results import ModelResult, Rollouts, Rows, SweepResults, Values

Kind = Literal["teacher", "codec_teacher"]


@dataclass(frozen=True)
class Draw:
    """One draw of the problem: its teachers, and its models of each size, smallest first."""

    problem: int  # its place among the sweep's problems
    seed: int | None
    A: Rows
    b: Values
    eigenvalues: Values
    teacher: Rollouts
    codec_teacher: Rollouts
    loss_floor: float | None
    seams_teacher: Mapping[str, float] | None  # see `ends.seam_shares`, along the teacher's paths
    models: tuple[tuple[ModelResult, ...], ...]

    @property
    def teachers(self) -> dict[Kind, Rollouts]:
        """Both teachers: as it is, and rounded through the codec."""
        return {"teacher": self.teacher, "codec_teacher": self.codec_teacher}

    @property
    def complete(self) -> bool:
        """Whether it has a model of every size."""
        return all(self.models)


# The numbers of `FinalStep`, so that a misspelt one is found before it runs.
FinalName = Literal[
    "bias2", "variance", "error", "incoherence", "rise", "plateau", "strayed", "worst_percent_share",
    "median_error", "effective_starts",
]  # fmt: skip
Reader = Callable[[ModelResult, Draw], float | None]


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


def draws_of(sweep: SweepResults) -> Draws:
    """Group a sweep's models by their draw of the problem and by size, smallest first.

    Draws without any model are kept.

    Raises:
        ValueError: where there is no model.
    """
    if not sweep.models:
        raise ValueError("the sweep has no finished model")
    parameters = {model.size: model.parameters for model in sweep.models}
    names = tuple(sorted(parameters, key=parameters.__getitem__))
    draws = []
    for index, problem in enumerate(sweep.problems):
        own = sorted(
            (model for model in sweep.models if model.problem == index),
            key=lambda model: model.replicate,
        )
        floor = problem.floor
        draws.append(
            Draw(
                index,
                seed_of(sweep, index),
                problem.A,
                problem.b,
                problem.eigenvalues,
                problem.teacher,
                problem.codec_teacher,
                None if floor is None else floor.value,
                problem.seams_teacher,
                tuple(tuple(model for model in own if model.size == name) for name in names),
            )
        )
    return Draws(names, np.asarray([parameters[name] for name in names], np.float64), tuple(draws))


def seed_of(sweep: SweepResults, problem: int) -> int | None:
    """Return the seed that one of a sweep's problems was drawn from."""
    own = sweep.problems[problem].seed
    found: int | None = sweep.config.get("seed") if own is None else own
    return found


def of_final(name: FinalName) -> Reader:
    """Return how to read a number of a model's last step, None where it was not measured."""

    def read(model: ModelResult, draw: Draw) -> float | None:
        value: float | None = getattr(model.final, name)
        return value

    return read


def strayed_share(starts: int) -> Reader:
    """Return how to read the share of starts that strayed as (count + ½) / (starts + 1).

    Shares of 0 and 1 then have logarithms: the posterior mean under Jeffreys' prior.
    """

    def read(model: ModelResult, draw: Draw) -> float | None:
        share = model.final.strayed
        return None if share is None else (share * starts + 0.5) / (starts + 1)

    return read


def validation_loss(model: ModelResult, draw: Draw) -> float:
    """Return a model's loss over the update's tokens."""
    return model.validation_loss


def _above_floor(model: ModelResult, draw: Draw) -> float | None:
    return None if draw.loss_floor is None else model.validation_loss - draw.loss_floor


def quantities(config: Mapping[str, Any]) -> dict[str, Reader]:
    """Return the quantities whose power laws are fitted, by name, in the order of the reports.

    validation_loss: over the update's tokens; validation_loss_all: over the state's as well;
    validation_loss_above_floor: the first less the loss of a perfect model of the same problem.
    """
    return {
        "validation_loss": validation_loss,
        "validation_loss_all": lambda model, draw: model.validation_loss_all,
        "validation_loss_above_floor": _above_floor,
        "bias2": of_final("bias2"),
        "variance": of_final("variance"),
        "error": of_final("error"),
        "median_error": of_final("median_error"),
        "strayed": strayed_share(config["starts"]),
    }


QUANTITIES = tuple(quantities({"starts": 1}))


def rise_of_teacher(draw: Draw) -> float | None:
    """Return how much the teacher's own incoherence rises, step 0 to last, in a draw; None where it has none."""
    first, *_, last = draw.teacher.incoherence
    return None if first is None or last is None else float(last - first)
