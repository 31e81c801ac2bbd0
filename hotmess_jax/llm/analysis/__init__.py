"""Analyses of a table of records, on the same kernels as the synthetic study."""

from hotmess_jax.llm.analysis.changes import answer_changes, format_failures, one_question
from hotmess_jax.llm.analysis.difficulty import (
    difficulty_groups,
    incoherence_surface,
    length_correlation,
    scaling_by_difficulty,
)
from hotmess_jax.llm.analysis.ensembles import efficiency, ensembling, sensitivity
from hotmess_jax.llm.analysis.groups import by_field, by_topic, length_field, with_wait_ratio
from hotmess_jax.llm.analysis.other_outcomes import embedding_questions, unit_test_questions
from hotmess_jax.llm.analysis.overthinking import by_budget, natural_overthinking
from hotmess_jax.llm.analysis.questions import AnalysisSettings, Questions, overall, questions_of
from hotmess_jax.llm.analysis.samples import Block, Samples, Unparsed, to_samples
from hotmess_jax.llm.analysis.summary import (
    METRICS,
    Metric,
    decompose,
    label,
    metric_summary,
    summarise,
)

__all__ = [
    "METRICS",
    "AnalysisSettings",
    "Block",
    "Metric",
    "Questions",
    "Samples",
    "Unparsed",
    "answer_changes",
    "by_budget",
    "by_field",
    "by_topic",
    "decompose",
    "difficulty_groups",
    "efficiency",
    "embedding_questions",
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
    "summarise",
    "to_samples",
    "unit_test_questions",
    "with_wait_ratio",
]
