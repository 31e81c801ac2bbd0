"""How often answers change, how often they cannot be read, and one question's answers."""

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import stats

from hotmess_jax.llm.analyses.questions import AnalysisSettings, Json, estimate, means, with_intervals
from hotmess_jax.llm.analyses.samples import QUESTION
from hotmess_jax.llm.analyses.series import one_series
from hotmess_jax.llm.records import checked
from kernels.names import nearest

FEW = 10  # questions, below which the worst is assumed: that all of a question's samples fail together
ANSWER = pl.coalesce(pl.col("answer"), pl.lit(""))


def answer_changes(
    records: pl.DataFrame, settings: AnalysisSettings, groups: pl.DataFrame | None = None
) -> list[Json]:
    """Return the share of questions whose answer changes at least once.

    Three kinds: under resampling (within one context: in any of a question's contexts), under a change
    of context (no answer is the majority answer in all of a question's contexts), and under both (any
    two of all samples). Where several answers are given equally often in a context, each of them is its
    majority answer: a tie alone is no change. Answers that cannot be parsed count as an answer of their
    own. The more answers are compared, the more change: `answers` says how many there are a question,
    on average.

    Args:
        records: of one model and setting; of probabilities the most probable option is the answer.
        settings: resamples and seed.
        groups: each question's `group`, from `difficulty_groups` or `difficulty_labels`; shares are then
            by group too.

    Source: Hägele et al. 2026, Figure 20.
    """
    records = one_series(records).table
    rows = with_answers(records).with_columns(pl.col("context").fill_null(0))
    counts = rows.group_by([*QUESTION, "context", "given"]).len()
    most = pl.col("len") == pl.col("len").max().over([*QUESTION, "context"])
    contexts = counts.group_by(QUESTION).agg(
        pl.col("context").n_unique().alias("contexts"),
        pl.col("len").sum().alias("answers"),
        (pl.len() > pl.col("context").n_unique()).alias("resampling"),
        (pl.col("given").n_unique() > 1).alias("both"),
    )
    majority = (
        counts.filter(most)
        .group_by([*QUESTION, "given"])
        .len("in_contexts")
        .group_by(QUESTION)
        .agg(pl.col("in_contexts").max())
    )
    table = (
        contexts.join(majority, on=QUESTION, nulls_equal=True)
        .with_columns(context=pl.col("in_contexts") < pl.col("contexts"))
        .sort(QUESTION)
    )
    parts: list[tuple[int | str | None, pl.DataFrame]] = [(None, table)]
    if groups is not None:
        joined = table.join(groups, on=QUESTION, nulls_equal=True)
        parts += [
            (key[0], part) for key, part in joined.sort("group").group_by("group", maintain_order=True)
        ]
    found = []
    for group, part in parts:
        kinds = ["resampling", "both"] + (
            ["context"] if int(part["contexts"].to_numpy().max()) > 1 else []
        )
        arrays = {kind: part[kind].to_numpy().astype(np.float64) for kind in kinds}
        found.append(
            {"group": group, "questions": part.height, "answers": part["answers"].mean()}
            | with_intervals(*estimate(means, arrays, settings))
        )
    return found


def difficulty_labels(records: pl.DataFrame) -> pl.DataFrame:
    """Return each question's `group`: its difficulty as the benchmark has it.

    Raises:
        ValueError: where no record has one.

    Source: Hägele et al. 2026, Figures 20 and 22.
    """
    records = checked(records).table
    if "difficulty" not in records.columns or records["difficulty"].is_null().all():
        raise ValueError("no record has a difficulty")
    labelled = records.filter(pl.col("difficulty").is_not_null())
    return labelled.group_by(QUESTION).agg(pl.col("difficulty").first().alias("group"))


def with_answers(records: pl.DataFrame) -> pl.DataFrame:
    """Add `given`: the answer, of probabilities the most probable option, "" where there is none."""
    given = ANSWER
    if records["probs"].null_count() < records.height:
        likeliest = pl.col("probs").map_elements(_likeliest, return_dtype=pl.String)
        given = pl.when(pl.col("probs").is_null()).then(ANSWER).otherwise(likeliest)
    return records.with_columns(given.alias("given"))


def _likeliest(probs: str) -> str:
    found = json.loads(probs)
    return max(found, key=lambda label: found[label])


def format_failures(records: pl.DataFrame) -> list[Json]:
    """Return the share of answers that could not be parsed, by model and budget.

    Samples of one question fail together, so that intervals are Wilson's with the effective number of
    samples: their number divided by the design effect, which is the variance of the share over whole
    questions, against that of as many independent samples. It is None where there is one question
    only. Where no sample failed or all did, and where few questions hold those that
    did, at most as many samples are counted as there are questions.

    Source: Hägele et al. 2026, Table 1; Kish 1965; Korn and Graubard 1998.
    """
    records = checked(records).table
    keys = ["model"] + (["budget"] if "budget" in records.columns else [])
    failed = (pl.col("probs").is_null() & (ANSWER == "")).sum()
    questions = records.group_by([*keys, *QUESTION]).agg(
        pl.len().alias("samples"), failed.alias("unparsed")
    )
    found = []
    for key, part in questions.sort([*keys, *QUESTION], nulls_last=True).group_by(
        keys, maintain_order=True
    ):
        samples, unparsed = part["samples"].to_numpy(), part["unparsed"].to_numpy()
        total, number = int(samples.sum()), part.height
        share = float(unparsed.sum() / total)
        ends: list[float | None] = [None, None]
        if number > 1:
            left = unparsed - share * samples
            variance = number / (number - 1) * float(left @ left) / total**2
            effective = min(share * (1 - share) / variance, total) if variance > 0 else number
            # Where few questions hold what failed (or what did not), the design effect is not known.
            holding = min(
                float(of.sum() ** 2 / max((of**2).sum(), 1)) for of in (unparsed, samples - unparsed)
            )
            if holding < FEW:
                effective = min(effective, number)
            # Of few questions the design effect itself is uncertain: Student's quantile for them.
            z = float(stats.t.ppf(0.975, number - 1))
            middle = (share + z**2 / (2 * effective)) / (1 + z**2 / effective)
            half = z * np.sqrt(share * (1 - share) / effective + z**2 / (4 * effective**2))
            half /= 1 + z**2 / effective
            ends = [max(middle - half, 0.0), min(middle + half, 1.0)]
        row: Json = {"budget": None} | dict(zip(keys, key, strict=True))
        row |= {"questions": number, "samples": total, "unparsed": int(unparsed.sum())}
        found.append(row | {"share": {"value": share, "ci95": ends}})
    return found


def one_question(
    records: pl.DataFrame, question_id: str | None = None, benchmark: str | None = None
) -> Json:
    """Return one question's answers, sample by sample: the one asked for, or that with most answers.

    Args:
        records: of one model and setting.
        question_id: of the question.
        benchmark: where several have a question of this id; None is the first of them.

    Raises:
        ValueError: where there is no such question, and for what `one_series` refuses.

    Source: Hägele et al. 2026, Figure 19.
    """
    rows = with_answers(one_series(records).table)
    spread = rows.group_by(QUESTION).agg(
        pl.col("given").n_unique().alias("distinct"), pl.len().alias("count")
    )
    order = ["distinct", "count", "question_id", "benchmark"]
    spread = spread.sort(order, descending=[True, True, False, False])
    if question_id is not None:
        spread = spread.filter(pl.col("question_id") == str(question_id))
    if benchmark is not None:
        spread = spread.filter(pl.col("benchmark") == benchmark)
    # Two benchmarks may have questions of one id.
    if not spread.height:
        near = nearest(question_id, rows["question_id"].unique().sort())
        of = f" of {benchmark!r}" if benchmark is not None else ""
        raise ValueError(f"no record is of the question {question_id!r}{of}{near}")
    one = spread.select(QUESTION).head(1)
    rows = rows.join(one, on=QUESTION, nulls_equal=True).sort(["context", "sample"])
    fields: Sequence[str] = [
        name for name in ("context", "sample", "given", "open_answer") if name in rows.columns
    ]
    return {
        "question_id": rows["question_id"][0],
        "benchmark": rows["benchmark"][0],
        "target": rows["target"][0],
        "options": rows["options"][0].to_list() if rows["options"][0] is not None else None,
        "samples": rows.select(fields).to_dicts(),
    }
