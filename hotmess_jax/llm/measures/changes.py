"""How often answers change, how often they cannot be read, and one question's answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.measures.clusters import clusters_of
from hotmess_jax.llm.measures.cross_fitting import LEAST, groups_along, measured_samples
from hotmess_jax.llm.measures.samples import QUESTION, context_indices
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.measures.subsets import AT_ONCE, SampledBlock, enough_samples
from hotmess_jax.llm.records import checked
from hotmess_jax.llm.telling import cell
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate, estimate_of
from hotmess_jax.statistics.intervals import Clusters, ratio_interval

Kind = Literal["resampling", "context", "both", "within", "between", "effect"]
ANSWER = pl.coalesce(pl.col("answer"), pl.lit(""))
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class AnswerChanges:
    """How often answers of a group of questions change; None what is not known of any of them."""

    # The group by length, from 0, the shortest, on, or as the benchmark names it; None is all questions.
    group: int | str | None
    questions: int
    # That are compared, a question, on average.
    answers: float
    # Shares of questions whose answer changes: within a context, between contexts' majorities, in any two samples.
    resampling: Estimate | None = None
    context: Estimate | None = None
    both: Estimate | None = None
    # How often two answers of one context differ, and two of different contexts, and the second less the first.
    within: Estimate | None = None
    between: Estimate | None = None
    effect: Estimate | None = None
    # Questions that are left out for having fewer than two answers, in the row of all of them.
    fewer_samples: int | None = None

    def of(self, kind: Kind) -> Estimate | None:
        """Return one kind of change."""
        found: Estimate | None = getattr(self, kind)
        return found


def answer_changes(
    records: pl.DataFrame, labels: pl.DataFrame | None = None, cluster: str | None = None
) -> list[AnswerChanges]:
    """Return how often answers change under resampling, and under a change of context.

    The paper's shares of questions whose answer changes at least once are of three kinds: under resampling
    (within one context: in any of a question's contexts), under a change of context (no answer is the
    majority answer in all of a question's contexts), and under both (any two of all samples). Where several
    answers are given equally often in a context, each of them is its majority answer: a tie alone is no
    change. The more answers are compared, the more change, also where contexts have no effect: `answers` says
    how many there are a question, on average.

    What does not hang on their number: `within`, how often two answers of one context differ, `between`, how
    often two answers of different contexts do, means over the questions that have both, and `effect`, the
    second less the first. Answers that cannot be parsed count as an answer of their own. Each kind is of the
    questions that can change so (two answers, two in one context, two contexts); those with fewer than two
    answers are left out, and counted in `fewer_samples` of the first row.

    Args:
        records: of one model and setting; of probabilities the most probable option is the answer.
        labels: each question's `group`, from `difficulty_labels`; shares are then by group too.
        cluster: a field whose values are clusters of questions; intervals are then over clusters.

    Returns:
        A row of all questions, and one a group; each number with its interval over questions.

    Raises:
        ValueError: where no question has two answers, or none could be read.

    Source: Hägele et al. 2026, Figure 20.
    """
    records = one_series(records).table
    block, codes, who = _answers(records)
    enough = enough_samples(block, 2)
    if not enough.any():
        raise ValueError(f"no question has two answers, of {len(who)}")
    block, codes, who = (
        SampledBlock(*(part[enough] for part in block)),
        codes[enough],
        who.filter(enough),
    )
    clusters = clusters_of(records, who, cluster)
    chosen = block.present[:, None, :]
    found = changes_of(block, codes, chosen)
    everything = change_row(None, np.ones((len(who), 1)), found, chosen, clusters)
    rows = [replace(everything, fewer_samples=int((~enough).sum()))]
    if labels is not None:
        group = who.join(labels, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")[
            "group"
        ]
        for name in group.drop_nulls().unique().sort().to_list():
            share = (group == name).fill_null(False).to_numpy()[:, None] * 1.0
            rows.append(change_row(name, share, found, chosen, clusters))
    return rows


def answer_changes_by_length(
    records: pl.DataFrame, field: str, count: int, seed: int, cluster: str | None = None
) -> list[AnswerChanges]:
    """Return how often answers change in groups of questions by their own mean length, 0 the shortest.

    Which group a question is in is said by some of its samples, and what changes by the others
    (`cross_fitting`): `answers` of them a question.

    Args:
        records: of one model and setting.
        field: the length; samples without it are left out.
        count: of groups.
        seed: of the splits.
        cluster: as in `answer_changes`.

    Raises:
        ValueError: where fewer questions than groups have four samples.
    """
    records = one_series(records).table
    usable = records.filter(field_of(records, field).is_not_null())
    if not usable.height:
        raise ValueError(f"no record has {field!r}")
    block, codes, who = _answers(usable)
    along = usable[field].to_numpy().astype(np.float64)[block.record]
    enough = enough_samples(block, LEAST)
    if enough.sum() < count:
        raise ValueError(
            f"{count} groups by length need as many questions with {LEAST} samples, got {enough.sum()}"
        )
    block, codes, along = SampledBlock(*(part[enough] for part in block)), codes[enough], along[enough]
    random = np.random.default_rng(seed)
    chosen = measured_samples(block, random)
    others = block.present[:, None, :] & ~chosen
    mean = (others * along[:, None, :]).sum(axis=2) / np.maximum(others.sum(axis=2), 1)
    group = groups_along(mean.T, count, random).T
    found = changes_of(block, codes, chosen)
    clusters = clusters_of(usable, who.filter(enough), cluster)
    return [change_row(i, (group == i) / group.shape[1], found, chosen, clusters) for i in range(count)]


def _answers(
    records: pl.DataFrame,
) -> tuple[SampledBlock, Int[np.ndarray, "questions samples"], pl.DataFrame]:
    """Return questions with their answers as numbers, those of a question from 0 on.

    Raises:
        ValueError: where not one answer could be read: they would be alike in that alone.
    """
    given_answers = with_answers(records)
    if (given_answers["given"] == "").all():
        raise ValueError(f"none of {given_answers.height} answers could be read")
    rows = (
        given_answers.with_row_index("place")
        .sort([*QUESTION, "context", "sample"])
        .group_by(QUESTION, maintain_order=True)
        .agg("given", "context", "place")
    )
    counts = rows["given"].list.len().to_numpy().astype(int)
    present = np.arange(counts.max(initial=0)) < counts[:, None]
    codes, context, record = (np.full(present.shape, i) for i in (0, -1, 0))
    for i, (given, contexts, place) in enumerate(
        zip(rows["given"], rows["context"], rows["place"], strict=True)
    ):
        codes[i, : counts[i]] = np.unique(given.to_numpy(), return_inverse=True)[1]
        context[i, : counts[i]] = context_indices(contexts.to_list())
        record[i, : counts[i]] = place.to_numpy()
    nothing = np.zeros((*present.shape, 0))
    block = SampledBlock(nothing, np.zeros(len(present), int), present * 0.0, present, context, record)
    return block, codes, rows.select(QUESTION)


def changes_of(
    block: SampledBlock,
    codes: Int[np.ndarray, "questions samples"],
    chosen: Bool[np.ndarray, "questions subsets samples"],
) -> dict[Kind, Float[np.ndarray, "questions subsets"]]:
    """Return each kind of change among subsets of questions' samples; NaN where it is not known."""
    number, subsets, samples = chosen.shape
    step = max(1, AT_ONCE // max(1, samples * max(samples, subsets)))
    found = [
        _changes_of(codes[i : i + step], block.context[i : i + step], chosen[i : i + step])
        for i in range(0, number, step)
    ]
    return {name: np.concatenate([part[name] for part in found]) for name in KINDS}


def _changes_of(codes: np.ndarray, context: np.ndarray, chosen: np.ndarray) -> dict[Kind, np.ndarray]:
    weight = chosen.astype(np.float64)
    differ = (codes[:, :, None] != codes[:, None, :]) * 1.0
    same = (context[:, :, None] == context[:, None, :]) * 1.0
    one = np.eye(codes.shape[1])

    def pairs(which: np.ndarray) -> np.ndarray:
        return ((weight @ which) * weight).sum(axis=2)

    within, between = pairs(same - one), pairs(1 - same)
    differ_within, differ_between = pairs(differ * same), pairs(differ * (1 - same))
    known = (within > 0) & (between > 0)
    rates = [
        np.where(known, part / np.where(whole > 0, whole, 1), np.nan)
        for part, whole in ((differ_within, within), (differ_between, between))
    ]
    # An answer is the majority one of a context where none there is given more often.
    labels, contexts = codes.max(initial=0) + 1, context.max(initial=0) + 1
    in_all = np.ones((*weight.shape[:2], labels), bool)
    for i in range(contexts):
        here = weight * (context == i)[:, None, :]
        counts = np.stack([here @ (codes == j)[..., None] for j in range(labels)], axis=2)[..., 0]
        in_all &= counts == counts.max(axis=2, keepdims=True)
    changes = ~in_all.any(axis=2)
    return {
        "resampling": np.where(within > 0, (differ_within > 0) * 1.0, np.nan),
        "context": np.where(between > 0, changes, np.nan),
        "both": np.where(within + between > 0, (differ_within + differ_between > 0) * 1.0, np.nan),
        "within": rates[0],
        "between": rates[1],
        "effect": rates[1] - rates[0],
    }


def change_row(
    group: int | str | None,
    share: Float[np.ndarray, "questions subsets"],
    found: Mapping[Kind, Float[np.ndarray, "questions subsets"]],
    chosen: Bool[np.ndarray, "questions subsets samples"],
    clusters: Clusters = None,
) -> AnswerChanges:
    """Return one group's values: means weighted by the share of a question's subsets that are in it."""
    total = share.sum()
    of = {kind: _change(kind, share, found[kind], clusters) for kind in KINDS}
    return AnswerChanges(
        group,
        round(float(total)),
        float((share * chosen.sum(axis=2)).sum() / total),
        of["resampling"],
        of["context"],
        of["both"],
        of["within"],
        of["between"],
        of["effect"],
    )


def _change(
    kind: Kind,
    share: Float[np.ndarray, "questions subsets"],
    values: Float[np.ndarray, "questions subsets"],
    clusters: Clusters,
) -> Estimate | None:
    """Return one kind's mean over the questions of which it is known; None where there is none."""
    known = np.isfinite(values)
    whole = (share * known).sum(axis=1)
    if not whole.sum():
        return None
    part = np.where(known, share * values, 0).sum(axis=1)
    if kind == "effect":  # between −1 and 1
        ends = 2 * ratio_interval((part + whole) / 2, whole, 1.0, clusters) - 1
    else:
        ends = ratio_interval(part, whole, 1.0, clusters)
    return estimate_of(float(part.sum() / whole.sum()), ends)


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


def tell_changes(results: Mapping[str, Sequence[AnswerChanges]]) -> str:
    """Return changes of answer as a section of a report."""
    rows = [
        [model, _difficulty(row.group), str(row.questions), number(row.answers),
         *(cell(row.of(kind)) for kind in KINDS)]
        for model, groups in results.items()
        for row in groups
    ]  # fmt: skip
    labelled = any(isinstance(row.group, str) for rows_of in results.values() for row in rows_of)
    by = (
        "as the benchmark has it"
        if labelled
        else "by the model's own mean length, 1 the shortest; some samples say it, the others are compared"
    )
    return (
        "Share of questions whose answer changes at least once: within a context, between the majority "
        "answers of the contexts, and between any two samples. These grow with the number of answers that are "
        "compared, also where contexts have no effect. How often two answers differ does not: of the same context, "
        f"of two contexts, and what contexts add to it. Difficulty {by}.\n\n"
        + table(
            [
                "model",
                "difficulty",
                "questions",
                "answers a question",
                "changes under resampling",
                "under a change of context",
                "between any two samples",
                "two of the same context differ",
                "two of different contexts",
                "effect of contexts",
            ],
            rows,
        )
    )


def _difficulty(group: int | str | None) -> str:
    return "all" if group is None else str(group + 1) if isinstance(group, int) else group
