"""The report's part on the models themselves: tables of what each shows at the last step."""

from collections.abc import Iterable, Sequence

import numpy as np

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, incoherence, interval, number, percent
from hotmess_jax.synthetic.curves import LEAST_EFFECTIVE
from hotmess_jax.synthetic.draws import Draw, Draws, FinalName, Kind
from hotmess_jax.synthetic.ends_by_size import ends_by_size
from hotmess_jax.synthetic.results import Curves, FinalStep, ModelResult, Step
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep

EACH = 4  # so many draws have a line each; of more, mean and range are shown
STRAYS: tuple[FinalName, ...] = ("strayed", "worst_percent_share")
TEACHERS: tuple[tuple[Kind, str], ...] = (("teacher", "teacher"), ("codec_teacher", "teacher, rounded"))


def at_last_step(draws: Draws) -> str:
    """Return the table of all models and their teachers at the last step."""
    several = len(draws.draws) > 1
    with_all = any(model.validation_loss_all is not None for _, _, model in each_model(draws))
    header = [
        "model", *(["draw"] if several else []), "parameters", "validation loss",
        *(["on all tokens"] if with_all else []), "bias²", "bias² corrected", "variance", "error",
        "incoherence", "95 %", "strayed", "worst 1 %", "saturated", "s",
    ]  # fmt: skip
    rows = [
        [
            model.name,
            *([str(draw.problem)] if several else []),
            f"{model.parameters:,}",
            number(model.validation_loss, 4),
            *([number(model.validation_loss_all, 4)] if with_all else []),
            *_final_cells(model.final),
            interval(model.final.incoherence_ci95),
            *_stray_cells(model.final),
            str(model.saturated),
            f"{model.seconds.total:.0f}",
        ]
        for _, draw, model in each_model(draws)
    ]
    blank = ["–"] * (3 if with_all else 2)
    for name, label in TEACHERS:
        finals = [draw.teachers[name].final for draw in draws.draws]
        if len(finals) <= EACH:
            for draw, final in zip(draws.draws, finals, strict=True):
                of = [str(draw.problem)] if several else []
                cells = [*_final_cells(final), "–", *_stray_cells(final), "–", "–"]
                rows.append([label, *of, *blank, *cells])
        else:
            mean_and_range = [
                *(spread([float(cell) for cell in column])
                  for column in zip(*map(_final_cells, finals), strict=True)),
                "–",
                *(spread_of(finals, key, "{:.1%}") for key in STRAYS),
            ]  # fmt: skip
            rows.append([label, f"all {len(finals)}", *blank, *mean_and_range, "–", "–"])
    return table(header, rows) + (
        "\n\nValidation loss: cross-entropy over the update's tokens, whatever is trained on. Strayed: "
        "starts that end more than 5 of the teacher's step norms from the minimum. Worst 1 %: the share "
        "of the error that the worst hundredth of the starts holds. Saturated: numbers on the way that "
        "the codec could not write. s: seconds of training and rollouts. Intervals of single models are over "
        f"starts; none is given where fewer than {LEAST_EFFECTIVE} starts hold the error (effective number, "
        "(Σe)² / Σe²), for there they were seen to cover too seldom."
        + (" Teachers of more than four draws: mean, and range." if len(draws.draws) > EACH else "")
    )


def each_model(draws: Draws) -> Iterable[tuple[str, Draw, ModelResult]]:
    """Yield each model with its size and draw, by size, then by draw."""
    for place, name in enumerate(draws.names):
        for draw in draws.draws:
            for model in draw.models[place]:
                yield name, draw, model


def _final_cells(final: Step) -> list[str]:
    return [
        number(final.bias2),
        number(final.corrected.bias2),
        number(final.variance),
        number(final.error),
        incoherence(final.incoherence),
    ]


def _stray_cells(final: FinalStep) -> list[str]:
    return [percent(final.strayed, 1), percent(final.worst_percent_share)]


def spread(values: Sequence[float], form: str = "{:.3g}") -> str:
    """Return mean and range."""
    mean, low, high = (form.format(f(values)) for f in (np.mean, np.min, np.max))
    return mean if low == high else f"{mean} ({low} to {high})"


def spread_of(finals: Sequence[FinalStep], key: FinalName, form: str = "{:.3g}") -> str:
    """Return mean and range of a number of last steps, of those that have it."""
    values = [value for final in finals if (value := getattr(final, key)) is not None]
    return spread(values, form) if values else "–"


def floor_note(sweep: ConcludedSweep) -> str:
    """Return which models' bias² is hardly told from 0."""
    at_floor = sweep.bias_at_floor
    floor = (
        f"A plug-in bias² holds 1/{sweep.config['starts']:,} of the variance, for the mean is over that many "
        "starts. "
    )
    if at_floor:
        return floor + (
            "At most twice that floor, so that bias² is hardly told from 0 there: "
            f"{', '.join(at_floor)}. The fitted exponent of bias² leans on these plug-in values."
        )
    return floor + "Every model's bias² is above twice that floor."


def few_starts(draws: Draws, sweep: ConcludedSweep) -> str:
    """Return what of the error does not hang on the few starts that stray."""
    header = ["size", "strayed", "worst 1 %", "effective starts", "error", "median error"]
    keys: dict[FinalName, str]
    keys = {"strayed": "{:.1%}", "worst_percent_share": "{:.0%}", "effective_starts": "{:.0f}",
            "error": "{:.3g}", "median_error": "{:.3g}"}  # fmt: skip
    rows = []
    for place, name in enumerate(draws.names):
        finals = [model.final for draw in draws.draws for model in draw.models[place]]
        rows.append([name, *(spread_of(finals, key, form) for key, form in keys.items())])
    for kind, label in TEACHERS:
        finals = [draw.teachers[kind].final for draw in draws.draws]
        rows.append([label, *(spread_of(finals, key, form) for key, form in keys.items())])
    laws = [
        f"{label} {exponent(fit.exponent)} {interval(fit.ci95)}"
        for name, label in (
            ("strayed", "share of strays"), ("median_error", "median error"), ("error", "mean error")
        )
        if (fit := sweep.found.fits.get(name)) is not None
    ]  # fmt: skip
    fitted = f" They fall with size by the exponents: {'; '.join(laws)}." if laws else ""
    starts = sweep.config["starts"]
    return table(header, rows) + (
        "\n\nMean over models, and range. Bias², variance and error are means over starts, so that few "
        "starts can make them; the share of strays and the median (over starts, of the squared A-norm "
        f"distance) cannot be made by few.{fitted} Before its logarithm is taken, a share of k of "
        f"{starts:,} starts is (k + ½) / {starts + 1:,}. The claims stay on the published measure, bias² "
        "and variance."
    )


def resting_places(draws: Draws) -> str:
    """Return the places at which rollouts come to rest; nothing where they were not kept."""
    header = ["size", "arrived", "places of 1 % or more", "strays at rest", "largest wrong place",
              "variance between places", "strays at a seam", "teacher's paths", "difference", "95 %"]  # fmt: skip
    rows = [
        [
            found.name,
            spread(found.arrived, "{:.1%}"),
            f"{found.places:.1f}",
            percent(found.strayed_settled),
            spread(found.largest_wrong, "{:.1%}"),
            percent(found.between),
            percent(found.on_seams),
            percent(found.on_seams_teacher),
            "–" if found.excess is None else f"{found.excess.value:+.2f}",
            interval(None if found.excess is None else found.excess.ci95),
        ]
        for found in ends_by_size(draws)
    ]
    if not rows:
        return ""
    return table(header, rows) + (
        "\n\nA place: ends at rest (within 5 step norms over their last 40 steps) that are linked by less than a "
        "step norm; means over models, ranges in brackets. One wrong place that holds all starts is bias, "
        "several are variance: bias² and variance are split exactly into places in `sweep.json` (`ends`). At "
        "a seam: the sign or the exponent of a coordinate changes within a step norm, of ends that strayed "
        "and came to rest, beside all states on the teacher's paths in the same draw; Student's t over draws."
    )


def sampled(draws: Draws) -> str:
    """Return the table of sampled rollouts."""
    header = ["model", "temperature", "samples", "bias²", "bias² corrected", "variance", "error",
              "incoherence", "95 %"]  # fmt: skip
    rows = [
        [
            model.name,
            f"{found.temperature:g}",
            str(found.samples),
            *_final_cells(found.final),
            interval(found.final.incoherence_ci95),
        ]
        for _, _, model in each_model(draws)
        if (found := model.sampled) is not None
    ]
    return table(header, rows)


def directions(draws: Draws) -> str:
    """Return bias² and variance by eigen-direction."""
    eigenvalues = np.exp(np.log([draw.eigenvalues for draw in draws.draws]).mean(axis=0))
    header = ["", *(f"{part} at λ = {number(value)}" for value in eigenvalues
                    for part in ("bias²", "variance"))]  # fmt: skip

    def cells(curves: Sequence[Curves]) -> list[str]:
        means = {
            part: np.mean([[row[-1] for row in getattr(of.directions, part)] for of in curves], axis=0)
            for part in ("bias2", "variance")
        }
        return [number(v) for pair in zip(means["bias2"], means["variance"], strict=True) for v in pair]

    rows = [
        [name, *cells([model for draw in draws.draws for model in draw.models[place]])]
        for place, name in enumerate(draws.names)
    ]
    rows += [[label, *cells([draw.teachers[name] for draw in draws.draws])] for name, label in TEACHERS]
    several = " (λ: geometric mean over draws)" if len(draws.draws) > 1 else ""
    return table(header, rows) + f"\n\nMeans over models, at the last step, in the A-norm{several}."
