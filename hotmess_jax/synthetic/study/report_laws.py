"""The report's part on what compares models: fits, draws, rises over the steps."""

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.statistics.estimate import Estimate
from hotmess_jax.synthetic.draws import QUANTITIES, Draws, rise_of_teacher
from hotmess_jax.synthetic.found import Compared, Fit, Found, Rises
from hotmess_jax.synthetic.notes import LossFloors, Notes, Unfitted
from hotmess_jax.synthetic.study.report_models import spread
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep, noted

UNFITTED: dict[Unfitted, str] = {
    "no model": "No model was finished.",
    "no draw has every size": "No draw has a model of every size.",
    "too few sizes": "Too few sizes for a fit.",
}


def comparisons(found: Found) -> list[tuple[str, Compared]]:
    """Return the numbers that compare sizes, those that there are, and what reports call them."""
    every = (
        ("exponent of bias² less that of variance", found.exponent_difference),
        ("final incoherence per factor of ten in size", found.incoherence_slope),
        ("plateau of the largest size less that of the smallest", found.plateau_difference),
    )
    return [(label, part) for label, part in every if part is not None]


def headline_cells(fit: Fit) -> list[str]:
    """Return a fit's exponent and its interval."""
    return [exponent(fit.exponent), interval(fit.ci95)]


def estimate_cells(estimate: Estimate | None) -> list[str]:
    """Return an exponent or a curvature and its interval."""
    return ["–", "–"] if estimate is None else [exponent(estimate.value), interval(estimate.ci95)]


def offset_cells(fit: Fit) -> list[str]:
    """Return the exponent of the law with an offset, its interval, and the offset."""
    if (law := fit.with_offset) is None:
        return ["–"] * 3
    return [number(law.exponent), interval(law.ci95), number(law.offset)]


def each_draw(draws: Draws, sweep: ConcludedSweep) -> str:
    """Return what was estimated in each draw by itself."""
    fits = list(sweep.found.fits)
    header = ["draw", "seed", "b", "loss floor", *fits, "bias² less variance", "incoherence by size",
              "plateau difference", "teacher's rise", "missing"]  # fmt: skip
    rows = []
    for draw, found in zip(draws.draws, sweep.found.draws, strict=True):
        rows.append(
            [
                str(draw.problem),
                str(draw.seed),
                "(" + ", ".join(f"{value:.2f}" for value in draw.b) + ")",
                number(draw.loss_floor),
                *(exponent(found.exponent(name)) for name in fits),
                exponent(found.exponent_difference),
                exponent(found.incoherence_slope),
                exponent(found.plateau_difference),
                number(rise_of_teacher(draw)),
                ", ".join(found.missing_sizes),
            ]
        )
    return table(header, rows) + (
        "\n\nExponents of each quantity in each draw by itself; bias² less variance: the difference of "
        "their exponents; incoherence by size: final incoherence per factor of ten in size; plateau "
        "difference: largest size less smallest; teacher's rise: of its incoherence, step 0 to last."
        + _about_floors(noted(sweep).loss_floors)
    )


def _about_floors(floors: LossFloors) -> str:
    """Say what the loss floors are of."""
    if floors.measured < floors.draws or floors.counted is None:
        return (
            " No loss floor: it was not measured, or by an earlier version, as if trajectories were uniform within "
            "the numbers that share digits, which came out up to three times too large."
        )
    return (
        " Loss floor: what a model pays that knows all that the state's digits tell of the update's, nats per "
        f"token; counted in states of fresh trajectories for {100 * floors.counted:.0f} % of the states, those that "
        "enough come by, and for the others as if they were uniform within the numbers that share digits."
    )


def laws(sweep: ConcludedSweep) -> str:
    """Return the fits, and what compares sizes."""
    found, notes = sweep.found, noted(sweep)
    if notes.unfitted is not None:
        return UNFITTED[notes.unfitted]
    first = next(iter(found.fits.values()))
    return (
        f"{_table_of_laws(found, notes)}\n\n{' '.join(_comparisons(found))}\n\n"
        "y = a·N^(−exponent), and + offset, least squares in the logarithm. The exponent and its interval "
        f"are {first.basis}; those over sizes fit one line through each size's geometric mean and say "
        "nothing of other problems. Of the means: one exponent for all draws by a Gamma model with a log "
        "link, its interval by leaving each draw out. Where few starts stray, and fewer at larger sizes, the "
        "exponents of logarithms are too large (1.69 for 1.03 was seen where a few of 512 starts strayed), "
        "those of the means less so (1.23). Curvature: the quadratic coefficient of log y in log N, 0 for a power "
        "law; where its interval excludes 0 no plain law fits, whatever R² says. With an offset: through "
        "each size's geometric mean, profile intervals over exponents above 0."
        + (
            f" Draws left out because a size is missing: {found.draws_left_out}."
            if found.draws_left_out
            else ""
        )
    )


def rises(found: Rises | None, draws: Draws) -> str:
    """Return how incoherence rises over the steps."""
    if found is None:
        return "A model or a teacher has no error at the first or the last step, so that incoherence is 0/0 there."
    header = [found.of, "rise", "95 %", "p (Holm)", "less its teacher's", "95 %"]
    rows = [
        [
            rise.name,
            number(rise.value),
            interval(rise.ci95),
            number(rise.p_holm, 2),
            number(rise.less_teacher),
            interval(rise.less_teacher_ci95),
        ]
        for rise in found.each
    ]
    teachers = [rise for draw in draws.draws if (rise := rise_of_teacher(draw)) is not None]
    over_what = "Student's t over draws" if found.of == "size" else "percentiles over resampled starts"
    return table(header, rows) + (
        f"\n\nIncoherence at the last step less that at step 0; {over_what}; p adjusted for their number. "
        f"The teacher's own rise: {spread(teachers)}. It is decided by where rollouts start, so compare "
        "with it, not with 0."
    )


def _table_of_laws(found: Found, notes: Notes) -> str:
    header = ["quantity", "exponent", "95 %", "of the means", "95 %", "95 % over sizes", "R²", "curvature", "95 %",
              "exponent with offset", "95 %", "offset"]  # fmt: skip
    rows = []
    for name in QUANTITIES:
        fit = found.fits.get(name)
        if fit is None:
            if name in notes.not_positive:
                rows.append([name, "– (not positive everywhere)", *["–"] * 10])
            continue
        sizes = fit.over_sizes
        rows.append(
            [
                name,
                *headline_cells(fit),
                *estimate_cells(fit.of_means),
                interval(None if sizes is None else sizes.ci95),
                number(fit.r2),
                *estimate_cells(fit.curvature),
                *offset_cells(fit),
            ]
        )
    return table(header, rows)


def _comparisons(found: Found) -> list[str]:
    """Return the numbers that compare sizes, a sentence each."""
    lines = []
    for label, part in comparisons(found):
        numbers = f"{exponent(part.value)} {interval(part.ci95)}"
        lines.append(f"{label[0].upper()}{label[1:]}: {numbers}, {part.basis}.")
        if (apart := part.spread) is not None:
            draws, trainings = apart.count
            lines.append(
                f"(Standard deviation between trainings of one draw {number(apart.trainings)}, between "
                f"draws {number(apart.draws)}; {draws} draws of {trainings}.)"
            )
    return lines
