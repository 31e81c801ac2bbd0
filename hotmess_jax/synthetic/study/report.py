"""The report of a sweep, in Markdown: what was measured, beside what was published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.synthetic.draws import Draws, draws_of
from hotmess_jax.synthetic.results import FailedModel, PooledRun, Provenance, SweepResults
from hotmess_jax.synthetic.study.report_laws import each_draw, laws, rises
from hotmess_jax.synthetic.study.report_models import (
    at_last_step,
    directions,
    few_starts,
    floor_note,
    resting_places,
    sampled,
)
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep, noted

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


def report(sweep: ConcludedSweep, figures: Iterable[str] = FIGURES) -> str:
    """Return the report of a sweep as Markdown.

    Args:
        sweep: with its findings and claims.
        figures: which of `FIGURES` were drawn.
    """
    config = sweep.config
    draws = draws_of(sweep) if sweep.models else None
    pooled = sweep.pooled_from
    what = f"{len(pooled)} runs pooled, " if pooled else ""
    sections = [
        f"# Synthetic sweep, {what}preset {config['preset']}",
        _setting(config),
        _measured(sweep, draws),
        "## Published claims and this run",
        _claims(sweep),
    ]
    if draws is not None:
        if len(draws.draws) > 1:
            sections += ["## Each draw", each_draw(draws, sweep)]
        sections += [
            "## Models at the last step",
            at_last_step(draws),
            floor_note(sweep),
            "## Few starts hold the error",
            few_starts(draws.comparable, sweep),
        ]
        if where := resting_places(draws.comparable):
            sections += ["## Where rollouts end", where]
        if any(model.sampled is not None for model in sweep.models):
            sections += ["## Sampled rollouts: variance within starts", sampled(draws)]
        sections += [
            "## Scaling laws",
            laws(sweep),
            "## Incoherence over the steps",
            rises(sweep.found.rises, draws),
            "## By eigen-direction",
            directions(draws.comparable),
        ]
    if sweep.worse_than_chance:
        sections += ["## Worse than chance", _worse(sweep)]
    if sweep.failures:
        sections += ["## Failures", _failures(sweep.failures)]
    sections += ["## Figures", _figures(tuple(figures))]
    return "\n\n".join(sections) + "\n"


def _setting(config: Mapping[str, Any]) -> str:
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


def _measured(sweep: SweepResults, draws: Draws | None) -> str:
    config, provenance = sweep.config, sweep.provenance
    devices = dict.fromkeys(
        f"{each.device.count} × {each.device.kind} ({each.device.host}), jax {each.versions['jax']}, "
        f"python {each.versions['python']}"
        for each in _where_measured(sweep)
    )
    version = f"none (hotmess-jax {provenance.versions.get('hotmess-jax')})"
    commits = sorted({model.git_commit or version for model in sweep.models}) or ["none"]
    written_at = provenance.report or version
    seconds = sum(model.seconds.total for model in sweep.models)
    return (
        f"{_who(config, draws)}\n\n"
        f"Measured on {'; '.join(devices)}. Training and rollouts took {seconds:,.0f} s in all; models "
        f"finished at commit {', '.join(commits)}, report written at {written_at}."
        + (f"\n\n{_pooled(sweep.pooled_from)}" if sweep.pooled_from else "")
    )


def _where_measured(sweep: SweepResults) -> list[Provenance]:
    """Return what each model was trained and measured on: its own provenance, or where it has none its run's."""
    runs = sweep.pooled_from or ()
    of_problem = [run.provenance for run in runs for _ in range(run.draws)]
    found: list[Provenance] = []
    for model in sweep.models:
        if (own := model.provenance) is not None:
            found += [*own.trained_on, own.measured_on]
        else:
            found.append(of_problem[model.problem] if runs else sweep.provenance)
    return found or [run.provenance for run in runs] or [sweep.provenance]


def _who(config: Mapping[str, Any], draws: Draws | None) -> str:
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


def _pooled(runs: Sequence[PooledRun]) -> str:
    rows = [
        [run.path, str(run.seed), str(run.draws), str(run.git_commit), run.digest[:12]] for run in runs
    ]
    return table(["pooled run", "seed", "draws", "commit", "digest"], rows)


def _claims(sweep: ConcludedSweep) -> str:
    rows = [
        [
            claim.statement,
            claim.source,
            claim.measure,
            exponent(claim.value),
            interval(claim.ci95),
            f"**{claim.verdict}**",
            claim.remark,
        ]
        for claim in sweep.claims
    ]
    header = ["published claim", "source", "measured here", "value", "95 %", "verdict", "remark"]
    return table(header, rows) + (
        "\n\nSupported: the whole interval lies on the claimed side of 0; not supported: on the other; "
        "inconclusive: anything else. The loss, besides, is no power law where log loss is curved in log "
        "N. That every model rises is tested with Holm's correction for their number. "
        + _over(noted(sweep).draws_compared)
    )


def _over(draws: int) -> str:
    if draws > 1:
        return (
            f"Each number was estimated in each of {draws} draws of the problem by itself; the value "
            "is their mean, the interval Student's t over draws."
        )
    return (
        "Intervals of exponents and slopes are Student's t over sizes (replicates averaged first), those "
        "of curvature and plateau over replicates, that of the rise over starts: they hold for this draw "
        "of the problem, and do not cover what another would give."
    )


def _worse(sweep: ConcludedSweep) -> str:
    losses = [
        f"{model.name} ({number(model.validation_loss)})"
        for model in sweep.models
        if model.name in sweep.worse_than_chance
    ]
    return (
        f"A validation loss above that of equal probabilities (in nats a token): {', '.join(losses)}. These "
        "models stand in the tables of models, and are left out of every fit, claim and figure."
    )


def _failures(failures: Sequence[FailedModel]) -> str:
    return "\n".join(
        f"- {failure.size}, replicate {failure.replicate}: {failure.failed.reason}; it is in no "
        "table, figure or fit."
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
