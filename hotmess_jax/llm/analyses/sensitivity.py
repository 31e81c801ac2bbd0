"""What was decided on the way, and how the headline moves with it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import overall
from hotmess_jax.llm.measures.questions import FORMS, AnalysisSettings, Json, Questions, questions_of
from hotmess_jax.llm.measures.samples import QUESTION, Samples, to_samples
from hotmess_jax.llm.measures.series import one_series
from hotmess_jax.llm.telling import cell
from hotmess_jax.presentation.tables import table


def sensitivity(
    records: pl.DataFrame,
    settings: AnalysisSettings,
    headline: Questions | None = None,
    smoothings: Sequence[float] = (1e-15, 1e-12, 1e-9, 1e-6, 1e-3),
) -> list[Json]:
    """Return how the headline incoherence moves with what was decided on the way.

    Treatments of unparsed answers, the smoothing (kl only), leaving out questions whose label is known
    to be wrong, and the number of samples (n of each question, drawn at random over its contexts), each
    alone.

    Args:
        records: of one model.
        settings: the headline's; with `resamples` 0, KL has plug-in values alone, and whether its corrected
            value holds is not judged case by case, which takes most of the time.
        headline: what `questions_of` gives of the records and settings, where it is known.
        smoothings: δ of the KL decomposition.
    """
    records = one_series(records).table
    samples = to_samples(records, settings.unparsed)
    cases: list[tuple[str, str, pl.DataFrame, AnalysisSettings, Samples | None]]
    cases = [("headline", "", records, settings, samples)]
    for policy in ("uniform", "drop", "wrong"):
        if policy != settings.unparsed and samples.unparsed > 0:
            changed = dataclasses.replace(settings, unparsed=policy)
            cases.append(("unparsed", policy, records, changed, None))
    if settings.metric == "kl":
        for smoothing in smoothings:
            changed = dataclasses.replace(settings, smoothing=smoothing)
            cases.append(("smoothing", f"{smoothing:g}", records, changed, samples))
    if "error_type" in records.columns:
        right = pl.col("error_type").is_null() | (pl.col("error_type") == "ok")
        cases.append(("labels known to be wrong", "left out", records.filter(right), settings, None))
    most = int(records.group_by(QUESTION).len()["len"].to_numpy().max())
    chance = np.random.default_rng(settings.seed).random(records.height)
    place = pl.col("chance").rank("ordinal").over(QUESTION)
    shuffled = records.with_columns(chance=chance)
    for count in (3, 5, 10, 20):
        if count < most:
            few = shuffled.filter(place <= count).drop("chance")
            cases.append(("samples", f"{count} at random", few, settings, None))
    # Cases that change nothing are the headline: what is known of it is not found out again.
    same: Json | None = None if headline is None else overall(headline)
    found = []
    for what, value, part, changed, known in cases:
        unchanged = part is records and changed == settings
        try:
            row = same if unchanged and same else overall(questions_of(part, changed, known))
            same = row if unchanged else same
            found.append({"what": what, "value": value} | row)
        except ValueError as error:
            found.append({"what": what, "value": value, "missing": str(error)})
    return found


def compute(case: Case) -> list[Json]:
    """Return the headline under each change."""
    return sensitivity(case.records, case.analysis, case.questions)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    rows = []
    for model, cases in results.items():
        for case in cases:
            name = f"{case['what']} {case['value']}".strip()
            if "missing" in case:
                rows.append([model, name, "–", "–", case["missing"], ""])
            else:
                cells = [cell(case[form]["incoherence"]) for form in FORMS]
                rows.append([model, name, str(case["questions"]), str(case["samples"]), *cells])
    return table(
        ["model", "changed", "questions", "samples", "incoherence, plug-in", "corrected"], rows
    )
