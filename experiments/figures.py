"""Which command draws which figure of the paper: python -m experiments.figures --list.

The paper is Hägele et al. 2026 (arXiv 2601.23045).
"""

from dataclasses import dataclass

from hotmess_jax.llm.analyses.catalogue import shown_in
from hotmess_jax.presentation.command_line import fail, parse
from hotmess_jax.presentation.tables import table

SWEEP = "`experiments.synthetic_sweep`"
REPORT = "`experiments.llm_report`"
HEADER = ("figure", "what", "command", "figure file", "needs")
# In the paper's order.
FIGURES = (
    ("1", "what bias and variance are (a drawing)", "–", "–", "–"),
    ("2a, 2b", "incoherence against reasoning length, actions", REPORT, shown_in("2a, 2b"), "`reasoning_tokens`; `tests` and `actions`"),
    ("2c", "model-written evals: incoherence, variance of embeddings", REPORT, shown_in("2c"), "`reasoning_tokens`; `--embed`"),
    ("2d", "incoherence against step, synthetic", SWEEP, "incoherence_by_step", "–"),
    ("3", "longer against shorter samples", REPORT, shown_in("3"), "a length a sample"),
    ("4a", "incoherence against size by difficulty", REPORT, shown_in("4a"), "several models, `--parameters`"),
    ("4b", "survey of experts", "`experiments.survey`", "survey", "rankings (unpublished)"),
    ("4c", "incoherence against size, synthetic", SWEEP, "final_incoherence_by_size", "–"),
    ("5", "scaling laws by difficulty", REPORT, shown_in("5"), "several models, `--parameters`"),
    ("6", "synthetic: trajectories, loss, bias² and variance by size", SWEEP, "trajectory, loss_by_size, bias2_variance_by_size", "–"),
    ("7a", "reasoning budgets", REPORT, shown_in("7a"), "`budget`"),
    ("7b", "ensembles", REPORT, shown_in("7b"), "four samples a question"),
    ("8, 9, 10", "accuracy and error metrics against length", REPORT, shown_in("8, 9, 10"), "a length a sample"),
    ("11", "ensembles, KL", REPORT, shown_in("11"), "six samples a question"),
    ("12", "difficulty groups, lengths between models", REPORT, shown_in("12"), "several models, `--parameters`"),
    ("13", "bias² against variance", REPORT, shown_in("13"), "a length a sample"),
    ("14", "log incoherence over length and size", REPORT, shown_in("14"), "several models, `--parameters`"),
    ("15, 16", "scaling laws of other model families", REPORT, shown_in("15, 16"), "several models, `--parameters`"),
    ("17", "budgets beside natural variation", REPORT, shown_in("17"), "`budget`"),
    ("18", "incoherence against the share of “wait”", REPORT, shown_in("18"), "`reasoning`"),
    ("19", "one question, sample by sample", REPORT, shown_in("19"), "–"),
    ("20", "changes of answer", REPORT, shown_in("20"), "`context` for changes of context; `difficulty`"),
    ("21", "sample efficiency", REPORT, shown_in("21"), "four samples a question"),
    ("22", "lengths by category", REPORT, shown_in("22"), "`topic`; `difficulty`"),
    ("23", "model-written evals: all question sets", REPORT, shown_in("23"), "`topic`, a length a sample"),
    ("24", "model-written evals: embeddings of all sets", REPORT, shown_in("24"), "`--embed`"),
    ("25", "SWE-bench against actions, tokens", REPORT, shown_in("25"), "`tests`, `actions`"),
    ("26", "synthetic: by step, value along a start", SWEEP, "bias2_variance_by_step, value_along_start", "–"),
    ("27", "survey by category", "`experiments.survey`", "survey", "rankings (unpublished)"),
    ("Table 1", "format failures", REPORT, shown_in("Table 1"), "–"),
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
