"""Incoherence of repeated samples: python -m experiments.incoherence SAMPLES.jsonl [MORE …].

Reads records (see hotmess_jax/llm/records.py) and prints, for each model, bias², variance and
incoherence with 95 % intervals over questions, plug-in and corrected for the number of samples
(Hägele et al. 2026, arXiv 2601.23045, Section 2 and Appendix A).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import tyro
from rich.console import Console

from hotmess_jax.llm import figures
from hotmess_jax.llm.measures.comparing import compare
from hotmess_jax.llm.measures.comparing_figure import forest
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.means import means_notes
from hotmess_jax.llm.measures.questions import NO_ZERO_ONE, AnalysisSettings
from hotmess_jax.llm.measures.repeats_figure import repeats as draw_repeats
from hotmess_jax.llm.measures.samples import Unparsed
from hotmess_jax.llm.measures.successes import (
    MEANING,
    SHARES,
    SHARES_METRIC,
    is_of_successes,
    with_successes,
)
from hotmess_jax.llm.measures.summary import label, summarise, summarise_shares
from hotmess_jax.llm.records import RecordErrors, read_records
from hotmess_jax.llm.repeat_tables import clusters_note, print_comparisons, print_repeats
from hotmess_jax.machine.files import write_json
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    fail_lines,
    failing_on,
    parse,
    try_outputs,
)
from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import interval, number

UNITS = {"brier": "0 to 2", "kl": "nats", "zero_one": "0 to 1", SHARES_METRIC: "0 to 1"}
BETTER = "bias² and variance are better lower, of incoherence neither end is"
CAVEAT = (
    "Incoherence is the share of the error that is inconsistent. It measures neither misalignment nor "
    "quality: a model that is always wrong in the same way has none."
)


@dataclass(frozen=True)
class IncoherenceConfig:
    """Split the errors of repeated samples into bias² and variance."""

    samples: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of records, JSON lines."""

    metric: tuple[Metric, ...] = METRICS
    """Which decompositions: brier (0 to 2), whose corrected values are exact; kl (nats), the paper's;
    zero_one (0 to 1), plug-in only, which falls with the number of samples."""

    unparsed: Unparsed = "uniform"
    """What an answer that could not be parsed is: uniform over the options, no sample (drop), or a
    class of its own that is always wrong."""

    smoothing: Annotated[float, Limits(0, 1, above=True, below=True)] = 1e-12
    """Added to every probability before its logarithm is taken; on answers without probabilities the
    result of kl depends on it. Stated probabilities do not go below half of the step they were stated in."""

    by: tuple[str, ...] = ()
    """Fields to group by, besides the model, such as topic; temperature, budget, format and prompt are
    grouped by wherever they differ."""

    cluster: str | None = None
    """The field whose values are clusters of questions, such as a passage or a repository that they share:
    intervals and tests are then over whole clusters."""

    compare: str | None = None
    """Compare the values of this field, such as hint, or model, with the baseline, on the questions that both
    have, within each model and group."""

    baseline: str = "none"
    """The value to compare with; none is also that of records without the field."""

    json: str | None = None
    """Also write everything as one JSON document to this file; "-" prints it instead of the tables."""

    figures: Path | None = None
    """Also draw each metric's groups into this folder, as PNG and PDF."""

    resamples: Annotated[int, Limits(10, 1e6)] = 1_000
    """Data sets, drawn from the answers, on which KL's corrected value is judged, at most."""

    seed: int = 0
    """Of these."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read, analyse, print."""
    config = parse(IncoherenceConfig)
    with failing_on(ValueError):
        check_limits(config)
    if not config.samples:
        fail("no file of records was given")
    json_file = None if config.json in (None, "-") else Path(config.json)
    try_outputs([json_file], [config.figures])
    compared = None
    by = [*config.by]
    if config.compare is not None and config.compare not in ("model", *by):
        by.append(config.compare)
    try:
        records = read_records(config.samples, by)
        groups, meanings = groups_of(records, config, by)
        if config.compare is not None:
            compared = compare(
                with_successes(records)[0].filter(pl.col("options").is_not_null()),
                config.compare,
                config.baseline,
                config.by,
                config.metric,
                AnalysisSettings(
                    unparsed=config.unparsed,
                    smoothing=config.smoothing,
                    resamples=config.resamples,
                    seed=config.seed,
                    cluster=config.cluster,
                ),
            )
    except RecordErrors as error:
        fail_lines(str(error).splitlines())
    except ValueError as error:
        fail(str(error))
    document: dict[str, Any] = {"groups": groups}
    if compared is not None:
        document |= compared.to_json()
    if config.json == "-":
        json.dump(document, sys.stdout, indent=1, allow_nan=False)
        print()
    else:
        console = Console()
        shares = [group for group in groups if SHARES_METRIC in group["metrics"]]
        if chosen := [group for group in groups if group not in shares]:
            print_groups(chosen, config.metric, console)
        if shares:
            print_groups(shares, (SHARES_METRIC,), console)
        print_repeats({label(of): of["repeats"] for of in groups if of.get("repeats")}, console)
        for text in (*meanings, CAVEAT):
            console.print(text, highlight=False)
        if compared is not None:
            print_comparisons(compared, console)
        if json_file is not None:
            write_json(json_file, document)
    if config.figures is not None:
        for metric in (*config.metric, SHARES_METRIC):
            draw(groups, metric, config.figures)
            if compared is not None and metric != SHARES_METRIC:
                of_metric = {of.label: of.metrics[metric] for of in compared.made}
                plotting.save(forest(of_metric, metric), config.figures / f"comparisons_{metric}")
        if repeated := {label(group): group["repeats"] for group in groups if group.get("repeats")}:
            plotting.save(draw_repeats(repeated), config.figures / "repeats")


def groups_of(
    records: pl.DataFrame, config: IncoherenceConfig, by: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the groups of records, and what is to be said of outcomes that are no choice.

    Raises:
        ValueError: for a field that no record has, or where no record has a choice or an outcome.
    """
    records, shares = with_successes(records)
    groups, meanings = [], []
    if records.height or not shares.height:
        groups = summarise(
            with_options(records),
            by,
            config.metric,
            config.unparsed,
            config.smoothing,
            config.resamples,
            config.seed,
            config.cluster,
        )
        if is_of_successes(records):
            meanings.append(MEANING)
    if shares.height:
        groups += summarise_shares(shares, by, config.resamples, config.seed, config.cluster)
        meanings.append(SHARES)
    return groups, meanings


def with_options(records: pl.DataFrame) -> pl.DataFrame:
    """Return the records with a choice among options, and say how many others there are.

    Raises:
        ValueError: where no record has any: open answers, unit tests and outcomes alone have no distribution
            here.
    """
    chosen = pl.col("options").is_not_null()
    is_open = pl.col("format").eq_missing("open") if "format" in records.columns else pl.lit(False)
    for rows, said in (
        (records.filter(is_open), "open answers, of whose vectors python -m experiments.llm_report tells "
         "the variance (FILE.embeddings.npy)"),
        (records.filter(~is_open & ~chosen),
         "unit tests or outcomes alone, which python -m experiments.llm_report analyses"),
    ):  # fmt: skip
        if rows.height == records.height:
            raise ValueError(f"all {rows.height} records are {said}")
        if rows.height:
            print(f"left out: {rows.height} records are {said}", file=sys.stderr)
    kept = records.filter(chosen & ~is_open)
    if not kept.height:
        raise ValueError("no record has a choice among options")
    return kept


def print_groups(groups: list[dict[str, Any]], metrics: tuple[str, ...], console: Console) -> None:
    """Print the counts, then a table a metric, then what incoherence is not."""
    counts = right_aligned_table(
        "Samples", ["group", "questions", "samples", "left out", "accuracy", "unparsed"]
    )
    for group in groups:
        counts.add_row(
            label(group),
            str(group["questions"]),
            str(group["samples"]),
            str(group["left_out"]),
            f"{group['accuracy']:.3f}",
            f"{group['unparsed']:.3f}",
        )
    console.print(counts)
    for group in groups:
        if group.get("clusters"):
            said = clusters_note(**group["clusters"])
            console.print(f"{label(group)}: {said}".replace("\n", ", "), highlight=False, markup=False)
        for row in group["left_out_by"]:
            if row["left_out"]:
                console.print(
                    f"{label(group)}: left out for too few samples: {row['left_out']} of "
                    f"{row['questions']} questions ({row['group']})".replace("\n", ", "),
                    highlight=False,
                    markup=False,
                )
    for metric in metrics:
        parts = [("bias2", "bias²"), ("variance", "variance")]
        parts += [] if metric == "zero_one" else [("incoherence", "incoherence")]
        shown = [group["metrics"][metric] for group in groups if group["metrics"][metric] is not None]
        # Of the corrected variance: how much is between contexts, and how much within them.
        told = any(found["contexts"] and found["contexts"]["questions"] for found in shown)
        columns = [name for _, name in parts]
        columns[2:2] = ["between\ncontexts", "within\ncontexts"] if told else []
        header = ["group", "estimate", "effective\nquestions", *columns]
        title = f"{metric} ({UNITS[metric]}): means over questions, 95 % intervals; {BETTER}"
        table = right_aligned_table(title, header)
        notes = []
        for group in groups:
            plugin = group["metrics"][metric]
            if plugin is None:
                table.add_row(label(group), f"none: {group['why_none']}")
                continue
            for name, form in (("plug-in", plugin), ("corrected", plugin["corrected"])):
                if form is not None:
                    cells = [cell(form[k], form["ci95"][k]) for k, _ in parts]
                    contexts = (plugin["contexts"] or {}) if name == "corrected" else {}
                    if told:
                        found = [contexts.get(part) for part in ("between", "within")]
                        cells[2:2] = ["–" if c is None else cell(c["value"], c["ci95"]) for c in found]
                    first = name == "plug-in"
                    effective = number(plugin["effective_questions"]) if first else ""
                    table.add_row(label(group) if first else "", name, effective, *cells)
            counted = group["questions"] - group["left_out"]
            of = {"stated_step": group["stated_step"]} | plugin
            note = "" if metric == "zero_one" else " ".join(means_notes(of, counted))
            if note:
                notes.append(f"{label(group)}: {note}".replace("\n", ", "))
        console.print(table)
        if metric == "zero_one":
            notes.append(f"{NO_ZERO_ONE}.")
        for note in notes:
            console.print(note, highlight=False, markup=False)


def cell(value: float | None, ends: list[float | None]) -> str:
    """Return a value and its interval, "–" for what is not known."""
    if value is None:
        return "–"
    return number(value) + ("" if None in ends else f"\n{interval(ends)}")


def draw(groups: list[dict[str, Any]], metric: str, folder: Path) -> None:
    """Draw one metric of all groups."""
    shown = [group for group in groups if group["metrics"].get(metric) is not None]
    if not shown:
        return
    # Of one form, which the figure names: groups that have no corrected one take it from all.
    form = "corrected" if all(g["metrics"][metric]["corrected"] for g in shown) else "plugin"
    forms = [
        g["metrics"][metric]["corrected"] if form == "corrected" else g["metrics"][metric]
        for g in shown
    ]
    parts = ["bias2", "variance"] + ([] if metric == "zero_one" else ["incoherence"])
    figure = figures.parts_by_group(
        [label(group) for group in shown],
        {part: [of[part] for of in forms] for part in parts},
        {part: [of["ci95"][part] for of in forms] for part in parts},
        form,
        metric,
    )
    plotting.save(figure, folder / metric)


if __name__ == "__main__":
    main()
