"""What an analysis is run on, and under which name its result is kept."""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from hotmess_jax.llm.analyses.catalogue import WHY, Analysis
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.questions import AnalysisSettings, Questions, questions_of
from hotmess_jax.llm.measures.samples import Samples
from kernels.names import check_names

NO_LENGTH = WHY["length"]
PACKAGE = "hotmess_jax.llm.analyses"


@dataclass(frozen=True)
class StudySettings:
    """What a study of records is told."""

    metrics: Sequence[Metric]
    analysis: AnalysisSettings
    # None is the first of reasoning_tokens, actions, output_tokens and words that a series' records have.
    length: str | None = None
    groups: Sequence[int] = (10, 5, 20)
    difficulties: int = 3
    # Whose lengths decide difficulty; None is the largest model, or the first.
    reference: str | None = None
    parameters: Mapping[str, float] | None = None
    permutations: int = 1_000
    # How many ensembles of a size are compared, where the samples suffice.
    ensembles: int = 10
    # Fields that tell settings apart besides temperature, budget, format and prompt.
    by: Sequence[str] = ()
    # The field whose values are compared, and the one they are compared with, as text; None compares all pairs
    # of series that differ in one thing.
    compare: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        check_names("metrics", self.metrics, METRICS)


@dataclass(frozen=True)
class Key:
    """What a result is of."""

    analysis: str
    # None of what is no decomposition of choices.
    metric: str | None
    # The field it is along, of analyses that are run along several.
    field: str | None
    # The series, the two that are compared, or the setting.
    label: str

    @property
    def name(self) -> str:
        """The result's name in report.json: metric and field end it."""
        return "_".join(filter(None, [self.analysis, self.metric, self.field]))


def _nowhere(name: str, why: str) -> None:
    """Keep no note."""


@dataclass(frozen=True)
class Case:
    """Records that an analysis is run on, and what it may need to know."""

    label: str
    model: str
    # Those that tell the model's series from one another.
    settings_of: Mapping[str, Any]
    records: pl.DataFrame
    # The field that lengths are read from.
    length: str | None
    # Of the study; `analysis` in them is of the metric at hand.
    settings: StudySettings
    # Of choices.
    samples: Samples | None = None
    # Embeddings of open answers.
    vectors: np.ndarray | None = None
    # The field, of analyses that are run along several.
    field: str | None = None
    # Of pairs and of settings.
    parts: tuple["Case", ...] = ()
    # Called with an analysis' name and what of it is left out beside its result.
    note: Callable[[str, str], None] = _nowhere

    @property
    def analysis(self) -> AnalysisSettings:
        """What every analysis needs to know."""
        return self.settings.analysis

    @cached_property
    def questions(self) -> Questions:
        """The questions with their decompositions.

        Raises:
            ValueError: where none is decomposed.
        """
        return questions_of(self.records, self.analysis, self.samples)

    @cached_property
    def has(self) -> frozenset[str]:
        """Fields that any record has."""
        return frozenset(
            name
            for name in self.records.columns
            if self.records[name].null_count() < self.records.height
        )

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers of parameters of a setting's models, by label, where they are known."""
        given = self.settings.parameters or {}
        return {part.label: given[part.model] for part in self.parts if part.model in given}

    def lacks(self, needs: Sequence[str]) -> str | None:
        """Say why an analysis with these needs is left out; None where nothing is lacking."""
        for need in needs:
            if need == "length":
                there = self.length is not None
            elif need == "vectors":
                there = self.vectors is not None
            elif need == "parameters":
                there = bool(self.parameters)
            elif need == "budget":
                there = "budget" in self.records.columns and self.records["budget"].n_unique() > 1
            else:
                there = need in self.has
            if not there:
                return WHY[need]
        return None


def is_choice(records: pl.DataFrame) -> pl.Expr:
    """Tell which records are choices among options."""
    chosen = pl.col("options").is_not_null()
    # A format that is not known is no open one.
    return chosen & pl.col("format").ne_missing("open") if "format" in records.columns else chosen


def is_open(records: pl.DataFrame) -> pl.Expr:
    """Tell which records are open answers."""
    return pl.col("format").eq_missing("open") if "format" in records.columns else pl.lit(False)


def module_of(analysis: Analysis) -> ModuleType:
    """Import the module that computes and tells an analysis."""
    return importlib.import_module(f"{PACKAGE}.{analysis.name}")


def figure_of(analysis: Analysis) -> ModuleType | None:
    """Import the module that draws an analysis; None where none does."""
    return importlib.import_module(f"{PACKAGE}.{analysis.name}_figure") if analysis.drawn else None


def setting_file(name: str, label: str) -> str:
    """Return the file name of what is drawn once a setting: "scaling_kl", "scaling_kl_budget_low"."""
    setting = label.removeprefix("all models")
    return name + re.sub(r"\W+", "_", setting).rstrip("_")
