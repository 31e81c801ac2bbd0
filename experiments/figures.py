"""Which command draws which figure of the paper: python -m experiments.figures --list.

The paper is Hägele et al. 2026 (arXiv 2601.23045).
"""

from dataclasses import dataclass

from hotmess_jax.presentation.command_line import fail, parse
from hotmess_jax.presentation.tables import table

SWEEP = "`experiments.synthetic_sweep`"
REPORT = "`experiments.llm_report`"
HEADER = ("figure", "what", "command", "figure file", "needs")
# In the paper's order.
FIGURES = (
    ("1", "what bias and variance are (a drawing)", "–", "–", "–"),
    ("2a, 2b", "incoherence against reasoning length, actions", REPORT, "by_length, unit_tests_by_…", "`reasoning_tokens`; `tests` and `actions`"),
    ("2c", "model-written evals: incoherence, variance of embeddings", REPORT, "by_length, open_answers", "`reasoning_tokens`; `--embed`"),
    ("2d", "incoherence against step, synthetic", SWEEP, "incoherence_by_step", "–"),
    ("3", "longer against shorter samples", REPORT, "overthinking, unit_tests_overthinking", "a length a sample"),
    ("4a", "incoherence against size by difficulty", REPORT, "scaling", "several models, `--parameters`"),
    ("4b", "survey of experts", "`experiments.survey`", "survey", "rankings (unpublished)"),
    ("4c", "incoherence against size, synthetic", SWEEP, "final_incoherence_by_size", "–"),
    ("5", "scaling laws by difficulty", REPORT, "scaling, length_correlation (table)", "several models, `--parameters`"),
    ("6", "synthetic: trajectories, loss, bias² and variance by size", SWEEP, "trajectory, loss_by_size, bias2_variance_by_size", "–"),
    ("7a", "reasoning budgets", REPORT, "by_budget", "`budget`"),
    ("7b", "ensembles", REPORT, "ensembles", "four samples a question"),
    ("8, 9, 10", "accuracy and error metrics against length", REPORT, "by_length", "a length a sample"),
    ("11", "ensembles, KL", REPORT, "ensembles_kl", "six samples a question"),
    ("12", "difficulty groups, lengths between models", REPORT, "scaling, length_correlation (table)", "several models, `--parameters`"),
    ("13", "bias² against variance", REPORT, "bias2_against_variance", "a length a sample"),
    ("14", "log incoherence over length and size", REPORT, "surface", "several models, `--parameters`"),
    ("15, 16", "scaling laws of other model families", REPORT, "scaling", "several models, `--parameters`"),
    ("17", "budgets beside natural variation", REPORT, "by_budget, overthinking", "`budget`"),
    ("18", "incoherence against the share of “wait”", REPORT, "wait_ratio", "`reasoning`"),
    ("19", "one question, sample by sample", REPORT, "one_question", "–"),
    ("20", "changes of answer", REPORT, "answer_changes, answer_changes_by_difficulty", "`context` for changes of context; `difficulty`"),
    ("21", "sample efficiency", REPORT, "efficiency", "four samples a question"),
    ("22", "lengths by category", REPORT, "by_topic, by_difficulty", "`topic`; `difficulty`"),
    ("23", "model-written evals: all question sets", REPORT, "by_length (with `--where topic=…`)", "`topic`, a length a sample"),
    ("24", "model-written evals: embeddings of all sets", REPORT, "open_answers (with `--where topic=…`)", "`--embed`"),
    ("25", "SWE-bench against actions, tokens", REPORT, "unit_tests_by_…", "`tests`, `actions`"),
    ("26", "synthetic: by step, value along a start", SWEEP, "bias2_variance_by_step, value_along_start", "–"),
    ("27", "survey by category", "`experiments.survey`", "survey", "rankings (unpublished)"),
    ("Table 1", "format failures", REPORT, "format_failures (table)", "–"),
)  # fmt: skip


@dataclass(frozen=True)
class FiguresConfig:
    """Map every figure and table of the paper to the command that draws it."""

    list: bool = False
    """Print the map, as a Markdown table."""


def main() -> None:
    """Print the map."""
    if not parse(FiguresConfig).list:
        fail("nothing to do: --list prints the map")
    print(figures_table())


def figures_table() -> str:
    """Return the map as a Markdown table, as the README carries it."""
    return table(HEADER, FIGURES)


if __name__ == "__main__":
    main()
