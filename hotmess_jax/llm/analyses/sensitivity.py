"""What was decided on the way, and how the headline moves with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from pydantic_core import CoreSchema

from hotmess_jax import documents
from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import Means, means_of
from hotmess_jax.llm.measures.questions import AnalysisSettings, Questions, questions_of
from hotmess_jax.llm.measures.samples import QUESTION, Samples, to_samples
from hotmess_jax.llm.measures.series import one_series
from hotmess_jax.llm.telling import cell, counts
from hotmess_jax.presentation.tables import table
from hotmess_jax.statistics.json_form import json_form


@dataclass(frozen=True, slots=True)
class Changed:
    """The headline with one thing changed that was decided on the way."""

    what: str
    # What it was changed to; "" of the headline itself.
    value: str
    # None where it cannot be computed, and why.
    means: Means | None
    missing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, the means' names beside its own."""
        found = (
            {"missing": self.missing} if self.means is None else documents.to_json(Means, self.means)
        )
        return {"what": self.what, "value": self.value, **found}

    @classmethod
    def of_json(cls, value: Any) -> "Changed":
        """Return what JSON values say.

        Raises:
            ValueError: where a name is missing, or what should be means is none.
        """
        if not isinstance(value, Mapping) or not {"what", "value"} <= set(value):
            raise ValueError(f"what was changed has what and value, got {value!r}")
        missing = value.get("missing")
        means = documents.from_json(Means, value) if missing is None else None
        return cls(value["what"], value["value"], means, missing)

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: Any) -> CoreSchema:
        return json_form(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: Any) -> dict[str, Any]:
        texts = {name: {"type": "string"} for name in ("what", "value", "missing")}
        told = "Either `missing`, or the names of Means beside these."
        return {
            "type": "object",
            "properties": texts,
            "required": ["what", "value"],
            "description": told,
        }


Result = list[Changed]


def sensitivity(
    records: pl.DataFrame,
    settings: AnalysisSettings,
    headline: Questions | None = None,
    smoothings: Sequence[float] = (1e-15, 1e-12, 1e-9, 1e-6, 1e-3),
) -> list[Changed]:
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
            changed = replace(settings, unparsed=policy)
            cases.append(("unparsed", policy, records, changed, None))
    if settings.metric == "kl":
        for smoothing in smoothings:
            changed = replace(settings, smoothing=smoothing)
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
    same = None if headline is None else means_of(headline)
    found = []
    for what, value, part, changed, known in cases:
        unchanged = part is records and changed == settings
        try:
            means = same if unchanged and same else means_of(questions_of(part, changed, known))
        except ValueError as error:
            found.append(Changed(what, value, None, str(error)))
            continue
        same = means if unchanged else same
        found.append(Changed(what, value, means))
    return found


def compute(case: Case) -> list[Changed]:
    """Return the headline under each change."""
    return sensitivity(case.records, case.analysis, case.questions)


def tell(results: Mapping[str, Result]) -> str:
    """Return the section."""
    rows = []
    for model, cases in results.items():
        for case in cases:
            name = f"{case.what} {case.value}".strip()
            if case.means is None:
                rows.append([model, name, "–", "–", str(case.missing), ""])
            else:
                both = case.means.plugin.incoherence, case.means.corrected.incoherence
                rows.append([model, name, *counts(case.means), *map(cell, both)])
    return table(
        ["model", "changed", "questions", "samples", "incoherence, plug-in", "corrected"], rows
    )
