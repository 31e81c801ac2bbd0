"""Analyses of a table of records, on the same kernels as the synthetic study."""

from hotmess_jax.llm.analyses.changes import (
    answer_changes,
    answer_changes_by_length,
    difficulty_labels,
    format_failures,
    one_question,
)
from hotmess_jax.llm.analyses.correlations import length_correlation
from hotmess_jax.llm.analyses.decomposing import METRICS, Metric, decompose
from hotmess_jax.llm.analyses.difficulty import incoherence_surface, scaling_by_difficulty
from hotmess_jax.llm.analyses.ensembles import efficiency, ensembling, sensitivity
from hotmess_jax.llm.analyses.groups import (
    LENGTHS,
    by_field,
    by_label,
    common_length_field,
    length_field,
    with_wait_ratio,
)
from hotmess_jax.llm.analyses.other_outcomes import unit_test_questions
from hotmess_jax.llm.analyses.overthinking import by_budget, natural_overthinking
from hotmess_jax.llm.analyses.questions import AnalysisSettings, Questions, overall, questions_of
from hotmess_jax.llm.analyses.samples import Block, Samples, Unparsed, to_samples
from hotmess_jax.llm.analyses.series import Series, series_of, setting_name, settings_that_differ
from hotmess_jax.llm.analyses.summary import label, metric_summary, summarise

__all__ = [
    "LENGTHS",
    "METRICS",
    "AnalysisSettings",
    "Block",
    "Metric",
    "Questions",
    "Samples",
    "Series",
    "Unparsed",
    "answer_changes",
    "answer_changes_by_length",
    "by_budget",
    "by_field",
    "by_label",
    "common_length_field",
    "decompose",
    "difficulty_labels",
    "efficiency",
    "ensembling",
    "format_failures",
    "incoherence_surface",
    "label",
    "length_correlation",
    "length_field",
    "metric_summary",
    "natural_overthinking",
    "one_question",
    "overall",
    "questions_of",
    "scaling_by_difficulty",
    "sensitivity",
    "series_of",
    "setting_name",
    "settings_that_differ",
    "summarise",
    "to_samples",
    "unit_test_questions",
    "with_wait_ratio",
]
