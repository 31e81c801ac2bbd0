"""The report of a sweep, in Markdown: what was measured, beside what was published."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, incoherence, interval, number, percent
from hotmess_jax.synthetic.curves import LEAST_EFFECTIVE, Json
from hotmess_jax.synthetic.draws import QUANTITIES, Draw, Draws, draws_of, problems_of, rise_of_teacher
from hotmess_jax.synthetic.ends import ends_by_size

FIGURES = {
    "trajectory": "One start: model and teacher over the quadratic's contours (Fig. 6 left).",
    "loss_by_size": "Validation loss against size (Fig. 6 middle, 26a left).",
    "bias2_variance_by_size": "Bias² and variance at the last step against size (Fig. 6 right).",
    "incoherence_by_step": "Incoherence against step (Fig. 2d).",
    "final_incoherence_by_size": "Incoherence at the last step against size (Fig. 4c).",
    "bias2_variance_by_step": "Bias² and variance against step (Fig. 26a right).",
    "value_along_start": "The function value along one start (Fig. 26 b–g).",
    "by_eigen_direction": "Bias² and variance at the last step by eigen-direction of A.",
    "ends_of_rollouts": "Where rollouts end, draw 0: a circle a place, its area the share of the starts; "
    "lines are where a sign, an exponent or a first digit changes.",
}
OF_ONE_START = ("trajectory", "value_along_start")  # which need the paths of rollouts
EACH = 4  # so many draws have a line each; of more, mean and range are shown
TEACHERS = (("teacher", "teacher"), ("codec_teacher", "teacher, rounded"))


def report(sweep: Mapping, figures: Iterable[str] = FIGURES) -> str:
    """Return the report of a sweep as Markdown.

    Args:
        sweep: the document of sweep.json, its findings and claims included.
        figures: which of `FIGURES` were drawn.
    """
    config = sweep["config"]
    draws = draws_of(sweep) if sweep["models"] else None
    pooled = sweep.get("pooled_from")
    what = f"{len(pooled)} runs pooled, " if pooled else ""
    sections = [
        f"# Synthetic sweep, {what}preset {config['preset']}",
        _setting(config),
        _measured(sweep, draws),
        "## Published claims and this run",
        _claims(sweep, draws),
    ]
    if draws is not None:
        if len(draws.draws) > 1:
            sections += ["## Each draw", _each_draw(draws, sweep)]
        sections += [
            "## Models at the last step",
            _models(draws),
            _notes(draws, config),
            "## Few starts hold the error",
            _few_starts(draws.comparable, sweep),
        ]
        if where := _ends(draws.comparable):
            sections += ["## Where rollouts end", where]
        if any("sampled" in model for model in sweep["models"]):
            sections += ["## Sampled rollouts: variance within starts", _sampled(draws)]
        sections += [
            "## Scaling laws",
            _fits(sweep),
            "## Incoherence over the steps",
            _rises(sweep, draws),
            "## By eigen-direction",
            _directions(draws.comparable),
        ]
    if sweep.get("worse_than_chance"):
        sections += ["## Worse than chance", _worse(sweep)]
    if sweep["failures"]:
        sections += ["## Failures", _failures(sweep["failures"])]
    sections += ["## Figures", _figures(tuple(figures))]
    return "\n\n".join(sections) + "\n"


def _setting(config: Mapping) -> str:
    """Return every setting that the results hang on."""

    def starts(prefix: str) -> str:
        kind, offset, scale = (
            config[f"{prefix}start_{name}"] for name in ("distribution", "offset", "scale")
        )
        aside = f", offset {offset:g}" if kind == "offset" else ""
        return f"{kind}{aside}, scale {scale:g}"

    if "rollout_start_distribution" in config:
        where = f"Trajectories start {starts('training_')}; rollouts {starts('rollout_')}."
    else:
        spread = config["training_spread"]
        where = f"Starts: {starts('')} (its scale times {spread:g} in training)."
    minimum = f"minimum scale {config['minimum_scale']:g}"
    compute = config.get("compute")
    return (
        f"Problem: d = {config['dimension']}, condition number {config['condition_number']:g}, "
        f"{config['spectrum']} spectrum, {minimum}, precision {config['precision']}. Teacher: "
        f"{config.get('teacher', 'steepest')}, step norm {config['step_norm']:g}. {where}\n\n"
        f"Trained on {config['trajectories']:,} × {config['trajectory_steps']:,} pairs, "
        f"{config['train_steps']:,} steps of {config['batch_size']:,}: the loss is on "
        f"{_TOKENS[config['loss_on']]}; learning rate {config['learning_rate']:g} × (32 / "
        f"width)^{config['learning_rate_exponent']:g}, warm-up {config['warmup_steps']:,} steps, weight "
        f"decay {config['weight_decay']:g}, gradients clipped to {config['clip_norm']:g}"
        + (f", {compute} products" if compute else "")
        + f". Rolled out for {config['rollout_steps']:,} steps from {config['starts']:,} starts, greedily"
        + (
            f" and {config['samples']} times each at temperature {config['temperature']:g}."
            if config["temperature"] > 0
            else "."
        )
    )


_TOKENS = {"update": "the update's tokens", "all": "all tokens, the state's too"}


def _measured(sweep: Mapping, draws: Draws | None) -> str:
    config, provenance = sweep["config"], sweep["provenance"]
    runs = sweep.get("pooled_from") or [{"provenance": provenance}]
    # Of each model's own training and measurement; older ones do not say.
    own = [
        each
        for model in sweep["models"]
        if "provenance" in model
        for each in (*model["provenance"]["trained_on"], model["provenance"]["measured_on"])
    ]
    devices = dict.fromkeys(
        f"{device['count']} × {device['kind']} ({device['host']}), jax {versions['jax']}, python "
        f"{versions['python']}"
        for device, versions in (
            (each["device"], each["versions"]) for each in own or [run["provenance"] for run in runs]
        )
    )
    version = f"none (hotmess-jax {provenance['versions'].get('hotmess-jax')})"
    commits = sorted({str(model["git_commit"] or version) for model in sweep["models"]}) or ["none"]
    written_at = provenance.get("report", provenance["git_commit"]) or version
    seconds = sum(sum(model["seconds"].values()) for model in sweep["models"])
    return (
        f"{_who(config, draws)}\n\n"
        f"Measured on {'; '.join(devices)}. Training and rollouts took {seconds:,.0f} s in all; models "
        f"finished at commit {', '.join(commits)}, report written at {written_at}."
        + (f"\n\n{_pooled(sweep['pooled_from'])}" if "pooled_from" in sweep else "")
    )


def _who(config: Mapping, draws: Draws | None) -> str:
    if draws is None:
        return f"Seed {config.get('seed')}; no model was finished."
    seeds = list(dict.fromkeys(draw.seed for draw in draws.draws))
    seed = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    count, most = len(draws.draws), draws.replicates
    if count == 1:
        return (
            f"One draw of the problem, {most} model{'s' if most > 1 else ''} of each size, which vary in "
            f"initialisation and order of the data; {seed}. Nothing here says what other draws of the "
            "problem would give."
        )
    each = "one model" if most == 1 else f"up to {most} models"
    left_out = (
        f" {draws.left_out} of them lack{'s' if draws.left_out == 1 else ''} a size, after a failure: in nothing "
        "that compares sizes, and in no table or figure by size."
        if draws.left_out
        else ""
    )
    return (
        f"{count} draws of the problem, {each} of each size in each; {seed}. Models are compared with the "
        f"teacher of their own draw.{left_out}"
    )


def _pooled(runs: Sequence[Mapping]) -> str:
    rows = [
        [run["path"], str(run["seed"]), str(run["draws"]), str(run["git_commit"]), run["digest"][:12]]
        for run in runs
    ]
    return table(["pooled run", "seed", "draws", "commit", "digest"], rows)


def _claims(sweep: Mapping, draws: Draws | None) -> str:
    rows = [
        [
            claim["statement"],
            claim["source"],
            claim["measure"],
            exponent(claim["value"]),
            interval(claim["ci95"]),
            f"**{claim['verdict']}**",
            claim["remark"] or "",
        ]
        for claim in sweep["claims"]
    ]
    header = ["published claim", "source", "measured here", "value", "95 %", "verdict", "remark"]
    return table(header, rows) + (
        "\n\nSupported: the whole interval lies on the claimed side of 0; not supported: on the other; "
        "inconclusive: anything else. The loss, besides, is no power law where log loss is curved in log "
        "N. That every model rises is tested with Holm's correction for their number. " + _over(draws)
    )


def _over(draws: Draws | None) -> str:
    complete = 0 if draws is None else len(draws.complete.draws)
    if complete > 1:
        return (
            f"Each number was estimated in each of {complete} draws of the problem by itself; the value "
            "is their mean, the interval Student's t over draws."
        )
    return (
        "Intervals of exponents and slopes are Student's t over sizes (replicates averaged first), those "
        "of curvature and plateau over replicates, that of the rise over starts: they hold for this draw "
        "of the problem, and do not cover what another would give."
    )


def _each_draw(draws: Draws, sweep: Mapping) -> str:
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
    floors = [problem.get("loss_floor") or {} for problem in problems_of(sweep)]
    if not all("counted" in floor for floor in floors):
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


def _models(draws: Draws) -> str:
    several = len(draws.draws) > 1
    with_all = any("validation_loss_all" in model for _, _, model in _each(draws))
    header = [
        "model", *(["draw"] if several else []), "parameters", "validation loss",
        *(["on all tokens"] if with_all else []), "bias²", "bias² corrected", "variance", "error",
        "incoherence", "95 %", "strayed", "worst 1 %", "saturated", "s",
    ]  # fmt: skip
    rows = [
        [
            _name(model),
            *([str(draw.problem)] if several else []),
            f"{model['parameters']:,}",
            number(model["validation_loss"], 4),
            *([number(model.get("validation_loss_all"), 4)] if with_all else []),
            *_final_cells(model["final"]),
            interval(model["final"]["incoherence_ci95"]),
            *_stray_cells(model["final"]),
            str(model["saturated"]),
            f"{sum(model['seconds'].values()):.0f}",
        ]
        for _, draw, model in _each(draws)
    ]
    blank = ["–"] * (3 if with_all else 2)
    for name, label in TEACHERS:
        finals = [_last(getattr(draw, name)) for draw in draws.draws]
        if len(finals) <= EACH:
            for draw, final in zip(draws.draws, finals, strict=True):
                of = [str(draw.problem)] if several else []
                cells = [*_final_cells(final), "–", *_stray_cells(final), "–", "–"]
                rows.append([label, *of, *blank, *cells])
        else:
            spread = [
                *(_spread([float(cell) for cell in column])
                  for column in zip(*map(_final_cells, finals), strict=True)),
                "–",
                *(_spread_of(finals, key, "{:.1%}") for key in ("strayed", "worst_percent_share")),
            ]  # fmt: skip
            rows.append([label, f"all {len(finals)}", *blank, *spread, "–", "–"])
    return table(header, rows) + (
        "\n\nValidation loss: cross-entropy over the update's tokens, whatever is trained on. Strayed: "
        "starts that end more than 5 of the teacher's step norms from the minimum. Worst 1 %: the share "
        "of the error that the worst hundredth of the starts holds. Saturated: numbers on the way that "
        "the codec could not write. s: seconds of training and rollouts. Intervals of single models are over "
        f"starts; none is given where fewer than {LEAST_EFFECTIVE} starts hold the error (effective number, "
        "(Σe)² / Σe²), for there they were seen to cover too seldom."
        + (" Teachers of more than four draws: mean, and range." if len(draws.draws) > EACH else "")
    )


def _each(draws: Draws) -> Iterable[tuple[str, Draw, Json]]:
    """Yield each model with its size and draw, by size, then by draw."""
    for place, name in enumerate(draws.names):
        for draw in draws.draws:
            for model in draw.models[place]:
                yield name, draw, model


def _name(model: Mapping) -> str:
    return f"{model['size']}-{model['replicate']}"


def _last(curves: Mapping) -> Json:
    """Return a teacher's last step; schema 1 has none of it beside its curves."""
    if "final" in curves:
        return dict(curves["final"])
    final = {key: curves[key][-1] for key in ("bias2", "variance", "error", "incoherence")}
    final["corrected"] = {"bias2": curves["corrected"]["bias2"][-1]}
    return final


def _final_cells(final: Mapping) -> list[str]:
    return [
        number(final["bias2"]),
        number(final["corrected"]["bias2"]),
        number(final["variance"]),
        number(final["error"]),
        incoherence(final["incoherence"]),
    ]


def _stray_cells(final: Mapping) -> list[str]:
    return [percent(final.get("strayed"), 1), percent(final.get("worst_percent_share"))]


def _spread(values: Sequence[float], form: str = "{:.3g}") -> str:
    """Return mean and range."""
    mean, low, high = (form.format(f(values)) for f in (np.mean, np.min, np.max))
    return mean if low == high else f"{mean} ({low} to {high})"


def _spread_of(finals: Sequence[Mapping], key: str, form: str = "{:.3g}") -> str:
    values = [final[key] for final in finals if final.get(key) is not None]
    return _spread(values, form) if values else "–"


def _notes(draws: Draws, config: Mapping) -> str:
    at_floor = [
        _name(model)
        for _, _, model in _each(draws)
        if model["final"]["corrected"]["bias2"] < model["final"]["variance"] / config["starts"]
    ]
    floor = (
        f"A plug-in bias² holds 1/{config['starts']:,} of the variance, for the mean is over that many "
        "starts. "
    )
    if at_floor:
        return floor + (
            "At most twice that floor, so that bias² is hardly told from 0 there: "
            f"{', '.join(at_floor)}. The fitted exponent of bias² leans on these plug-in values."
        )
    return floor + "Every model's bias² is above twice that floor."


def _few_starts(draws: Draws, sweep: Mapping) -> str:
    """Return what of the error does not hang on the few starts that stray."""
    header = ["size", "strayed", "worst 1 %", "effective starts", "error", "median error"]
    keys = {"strayed": "{:.1%}", "worst_percent_share": "{:.0%}", "effective_starts": "{:.0f}",
            "error": "{:.3g}", "median_error": "{:.3g}"}  # fmt: skip
    rows = []
    for place, name in enumerate(draws.names):
        finals = [model["final"] for draw in draws.draws for model in draw.models[place]]
        rows.append([name, *(_spread_of(finals, key, form) for key, form in keys.items())])
    for kind, label in TEACHERS:
        finals = [_last(getattr(draw, kind)) for draw in draws.draws]
        rows.append([label, *(_spread_of(finals, key, form) for key, form in keys.items())])
    laws = [
        f"{label} {exponent(fit['exponent'])} {interval(fit['ci95'])}"
        for name, label in (
            ("strayed", "share of strays"), ("median_error", "median error"), ("error", "mean error")
        )
        if (fit := sweep["fits"].get(name)) is not None
    ]  # fmt: skip
    fitted = f" They fall with size by the exponents: {'; '.join(laws)}." if laws else ""
    starts = sweep["config"]["starts"]
    return table(header, rows) + (
        "\n\nMean over models, and range. Bias², variance and error are means over starts, so that few "
        "starts can make them; the share of strays and the median (over starts, of the squared A-norm "
        f"distance) cannot be made by few.{fitted} Before its logarithm is taken, a share of k of "
        f"{starts:,} starts is (k + ½) / {starts + 1:,}. The claims stay on the published measure, bias² "
        "and variance."
    )


def _ends(draws: Draws) -> str:
    """Return the places at which rollouts come to rest; nothing where they were not kept."""
    header = ["size", "arrived", "places of 1 % or more", "strays at rest", "largest wrong place",
              "variance between places", "strays at a seam", "teacher's paths", "difference", "95 %"]  # fmt: skip
    rows = [
        [
            found.name,
            _spread(found.arrived, "{:.1%}"),
            f"{found.places:.1f}",
            percent(found.strayed_settled),
            _spread(found.largest_wrong, "{:.1%}"),
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


def _sampled(draws: Draws) -> str:
    header = ["model", "temperature", "samples", "bias²", "bias² corrected", "variance", "error",
              "incoherence", "95 %"]  # fmt: skip
    rows = [
        [
            _name(model),
            f"{model['sampled']['temperature']:g}",
            str(model["sampled"]["samples"]),
            *_final_cells(model["sampled"]["final"]),
            interval(model["sampled"]["final"]["incoherence_ci95"]),
        ]
        for _, _, model in _each(draws)
    ]
    return table(header, rows)


def _fits(sweep: Mapping) -> str:
    if not sweep["fits"]:
        left_out = sweep.get("draws_left_out", 0)
        return "No draw has a model of every size." if left_out else "Too few sizes for a fit."
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
    text = table(header, rows)
    lines = []
    for key, value, label in (
        ("exponent_difference", "difference", "Exponent of bias² less that of variance"),
        ("incoherence_slope", "slope", "Final incoherence per factor of ten in size"),
        ("plateau_difference", "difference", "Plateau of the largest size less that of the smallest"),
    ):
        if part := sweep.get(key):
            lines.append(f"{label}: {exponent(part[value])} {interval(part['ci95'])}, {over(part)}.")
            if spread := part.get("spread"):
                draws, trainings = spread["count"]
                lines.append(
                    f"(Standard deviation between trainings of one draw {number(spread['trainings'])}, between "
                    f"draws {number(spread['draws'])}; {draws} draws of {trainings}.)"
                )
    first = next(iter(sweep["fits"].values()))
    left_out = sweep.get("draws_left_out", 0)
    return (
        f"{text}\n\n{' '.join(lines)}\n\n"
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


def _rises(sweep: Mapping, draws: Draws) -> str:
    rises = sweep["rises"]
    if rises is None:
        return "A model or a teacher has no error at the first or the last step, so that incoherence is 0/0 there."
    header = [rises["of"], "rise", "95 %", "p (Holm)", "less its teacher's", "95 %"]
    rows = [
        [
            rise["name"],
            number(rise["value"]),
            interval(rise["ci95"]),
            number(rise["p_holm"], 2),
            number(rise["less_teacher"]),
            interval(rise["less_teacher_ci95"]),
        ]
        for rise in rises["each"]
    ]
    teachers = [rise for draw in draws.draws if (rise := rise_of_teacher(draw)) is not None]
    over_what = (
        "Student's t over draws" if rises["of"] == "size" else "percentiles over resampled starts"
    )
    return table(header, rows) + (
        f"\n\nIncoherence at the last step less that at step 0; {over_what}; p adjusted for their number. "
        f"The teacher's own rise: {_spread(teachers)}. It is decided by where rollouts start, so compare "
        "with it, not with 0."
    )


def _directions(draws: Draws) -> str:
    eigenvalues = np.exp(np.log([draw.eigenvalues for draw in draws.draws]).mean(axis=0))
    header = ["", *(f"{part} at λ = {number(value)}" for value in eigenvalues
                    for part in ("bias²", "variance"))]  # fmt: skip

    def cells(curves: Sequence[Mapping]) -> list[str]:
        means = {
            part: np.mean([[row[-1] for row in c["directions"][part]] for c in curves], axis=0)
            for part in ("bias2", "variance")
        }
        return [number(v) for pair in zip(means["bias2"], means["variance"], strict=True) for v in pair]

    rows = [
        [name, *cells([model for draw in draws.draws for model in draw.models[place]])]
        for place, name in enumerate(draws.names)
    ]
    rows += [[label, *cells([getattr(d, name) for d in draws.draws])] for name, label in TEACHERS]
    several = " (λ: geometric mean over draws)" if len(draws.draws) > 1 else ""
    return table(header, rows) + f"\n\nMeans over models, at the last step, in the A-norm{several}."


def _worse(sweep: Mapping) -> str:
    names = set(sweep["worse_than_chance"])
    losses = [
        f"{_name(m)} ({number(m['validation_loss'])})" for m in sweep["models"] if _name(m) in names
    ]
    return (
        f"A validation loss above that of equal probabilities (in nats a token): {', '.join(losses)}. These "
        "models stand in the tables of models, and are left out of every fit, claim and figure."
    )


def _failures(failures: Sequence[Mapping]) -> str:
    return "\n".join(
        f"- {failure['size']}, replicate {failure['replicate']}: {failure['failed']['reason']}; it is "
        "in no table, figure or fit."
        for failure in failures
    )


def _figures(drawn: tuple[str, ...]) -> str:
    shown = [
        f"![{text}](figures/{name}.png)\n\n{text}" for name, text in FIGURES.items() if name in drawn
    ]
    absent = [name for name in OF_ONE_START if name not in drawn]
    if absent:
        shown.append(f"Not drawn, for no paths of rollouts are at hand: {', '.join(absent)}.")
    return "\n\n".join(shown)
