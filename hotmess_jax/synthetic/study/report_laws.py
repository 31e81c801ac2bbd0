"""The report's part on what compares models: fits, draws, rises over the steps."""

from collections.abc import Mapping

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import QUANTITIES, Draws, floor_of, problems_of, rise_of_teacher
from hotmess_jax.synthetic.study.report_models import spread

# Numbers that compare sizes, in sweep.json: where, the name of the value, and what reports call it.
COMPARISONS = (
    ("exponent_difference", "difference", "exponent of bias² less that of variance"),
    ("incoherence_slope", "slope", "final incoherence per factor of ten in size"),
    ("plateau_difference", "difference", "plateau of the largest size less that of the smallest"),
)


def each_draw(draws: Draws, sweep: Mapping) -> str:
    """Return what was estimated in each draw by itself."""
    fits = list(sweep["fits"])
    columns = {
        "exponent_difference": "bias² less variance",
        "incoherence_slope": "incoherence by size",
        "plateau_difference": "plateau difference",
    }
    header = ["draw", "seed", "b", "loss floor", *fits, *columns.values(), "teacher's rise", "missing"]
    rows = []
    for draw, found in zip(draws.draws, sweep["draws"], strict=True):
        rows.append(
            [
                str(draw.problem),
                str(draw.seed),
                "(" + ", ".join(f"{value:.2f}" for value in draw.b) + ")",
                number(draw.loss_floor),
                *(exponent(found.get("exponents", {}).get(name)) for name in fits),
                *(exponent(found.get(name)) for name in columns),
                number(rise_of_teacher(draw)),
                ", ".join(found["missing_sizes"]),
            ]
        )
    return table(header, rows) + (
        "\n\nExponents of each quantity in each draw by itself; bias² less variance: the difference of "
        "their exponents; incoherence by size: final incoherence per factor of ten in size; plateau "
        "difference: largest size less smallest; teacher's rise: of its incoherence, step 0 to last."
        + _about_floors(sweep)
    )


def _about_floors(sweep: Mapping) -> str:
    """Say what the loss floors are of."""
    problems = problems_of(sweep)
    floors = [floor for problem in problems if (floor := floor_of(problem)) is not None]
    if len(floors) < len(problems):
        return (
            " No loss floor: it was not measured, or by an earlier version, as if trajectories were uniform within "
            "the numbers that share digits, which came out up to three times too large."
        )
    counted = sum(floor["counted"] for floor in floors) / sum(floor["states"] for floor in floors)
    return (
        " Loss floor: what a model pays that knows all that the state's digits tell of the update's, nats per "
        f"token; counted in states of fresh trajectories for {100 * counted:.0f} % of the states, those that "
        "enough come by, and for the others as if they were uniform within the numbers that share digits."
    )


def laws(sweep: Mapping) -> str:
    """Return the fits, and what compares sizes."""
    if not sweep["fits"]:
        left_out = sweep.get("draws_left_out", 0)
        return "No draw has a model of every size." if left_out else "Too few sizes for a fit."
    first = next(iter(sweep["fits"].values()))
    left_out = sweep.get("draws_left_out", 0)
    return (
        f"{_table_of_laws(sweep)}\n\n{' '.join(_comparisons(sweep))}\n\n"
        "y = a·N^(−exponent), and + offset, least squares in the logarithm. The exponent and its interval "
        f"are {over(first)}; those over sizes fit one line through each size's geometric mean and say "
        "nothing of other problems. Of the means: one exponent for all draws by a Gamma model with a log "
        "link, its interval by leaving each draw out. Where few starts stray, and fewer at larger sizes, the "
        "exponents of logarithms are too large (1.69 for 1.03 was seen where a few of 512 starts strayed), "
        "those of the means less so (1.23). Curvature: the quadratic coefficient of log y in log N, 0 for a power "
        "law; where its interval excludes 0 no plain law fits, whatever R² says. With an offset: through "
        "each size's geometric mean, profile intervals over exponents above 0."
        + (f" Draws left out because a size is missing: {left_out}." if left_out else "")
    )


def over(part: Mapping) -> str:
    """Return over what the headline of a fit is, e.g. "over 8 draws"."""
    count = part[f"over_{part['over']}"][part["over"]]
    return f"over {count} {part['over']}"


def rises(sweep: Mapping, draws: Draws) -> str:
    """Return how incoherence rises over the steps."""
    found = sweep["rises"]
    if found is None:
        return "A model or a teacher has no error at the first or the last step, so that incoherence is 0/0 there."
    header = [found["of"], "rise", "95 %", "p (Holm)", "less its teacher's", "95 %"]
    rows = [
        [
            rise["name"],
            number(rise["value"]),
            interval(rise["ci95"]),
            number(rise["p_holm"], 2),
            number(rise["less_teacher"]),
            interval(rise["less_teacher_ci95"]),
        ]
        for rise in found["each"]
    ]
    teachers = [rise for draw in draws.draws if (rise := rise_of_teacher(draw)) is not None]
    over_what = (
        "Student's t over draws" if found["of"] == "size" else "percentiles over resampled starts"
    )
    return table(header, rows) + (
        f"\n\nIncoherence at the last step less that at step 0; {over_what}; p adjusted for their number. "
        f"The teacher's own rise: {spread(teachers)}. It is decided by where rollouts start, so compare "
        "with it, not with 0."
    )


def _table_of_laws(sweep: Mapping) -> str:
    header = ["quantity", "exponent", "95 %", "of the means", "95 %", "95 % over sizes", "R²", "curvature", "95 %",
              "exponent with offset", "95 %", "offset"]  # fmt: skip
    rows = []
    for name in QUANTITIES:
        fit = sweep["fits"].get(name)
        if fit is None:
            if name in ("bias2", "variance", "error"):
                rows.append([name, "– (not positive everywhere)", *["–"] * 10])
            continue
        other: Json = fit.get("with_offset") or dict.fromkeys(("exponent", "ci95", "offset"))
        curvature = fit.get("curvature") or dict.fromkeys(("value", "ci95"))
        means = fit.get("of_means") or dict.fromkeys(("value", "ci95"))
        rows.append(
            [
                name,
                exponent(fit["exponent"]),
                interval(fit["ci95"]),
                exponent(means["value"]),
                interval(means["ci95"]),
                interval(fit["over_sizes"]["ci95"]),
                number(fit["r2"]),
                exponent(curvature["value"]),
                interval(curvature["ci95"]),
                number(other["exponent"]),
                interval(other["ci95"]),
                number(other["offset"]),
            ]
        )
    return table(header, rows)


def _comparisons(sweep: Mapping) -> list[str]:
    """Return the numbers that compare sizes, a sentence each."""
    lines = []
    for key, value, label in COMPARISONS:
        if part := sweep.get(key):
            numbers = f"{exponent(part[value])} {interval(part['ci95'])}"
            lines.append(f"{label[0].upper()}{label[1:]}: {numbers}, {over(part)}.")
            if apart := part.get("spread"):
                draws, trainings = apart["count"]
                lines.append(
                    f"(Standard deviation between trainings of one draw {number(apart['trainings'])}, between "
                    f"draws {number(apart['draws'])}; {draws} draws of {trainings}.)"
                )
    return lines
