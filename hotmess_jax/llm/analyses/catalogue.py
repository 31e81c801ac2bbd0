"""The analyses of records, in the report's order: a line each, which imports nothing.

An analysis is a module of this package under its name, with

- `compute(case)`, which returns its result, or None where there is nothing to tell, and raises a ValueError
  that says why where it cannot be done;
- `tell(results)`, which returns its section of a report in Markdown, of the results by label;
- `together(results)`, where there is one, which turns all results of one name into those that are kept.

Where it is drawn, a module beside it, called NAME_figure, has `draw(name, results, metric)`, which returns figures
by file name: computing needs no matplotlib.
"""

from dataclasses import dataclass
from typing import Literal

# What an analysis is run on: the choices among options of each model at one setting, all of its records, its
# choices at all budgets, two of these that differ in one thing, all models of one setting, or the outcomes
# between 0 and 1 of each model at one setting.
On = Literal["choices", "series", "budgets", "pairs", "settings", "shares"]
# What must be there: a field of records, lengths whatever their field, vectors beside them, models' sizes.
WHY = {
    "length": "no record has a length: reasoning_tokens, actions, output_tokens or words",
    "reasoning": "no record has a reasoning",
    "topic": "no record has a topic",
    "difficulty": "no record has a difficulty",
    "budget": "fewer than two budgets",
    "tests": "no record has tests",
    "actions": "no record has actions",
    "output_tokens": "no record has output_tokens",
    "reasoning_tokens": "no record has reasoning_tokens",
    "vectors": "no file has vectors beside it",
    "parameters": "--parameters gives no model's number of parameters",
}
Need = str


@dataclass(frozen=True)
class Analysis:
    """What is known of an analysis without importing it."""

    # That of its module, and of its results in report.json.
    name: str
    title: str
    on: On
    # Whether it is run of each metric, which then ends its name.
    by_metric: bool = False
    # Keys of `WHY`, in the order they are asked for.
    needs: tuple[Need, ...] = ()
    # Run for each of these fields, which then ends its name.
    fields: tuple[Need, ...] = ()
    # The analysis without whose result this one is not run, and not missed.
    after: str | None = None
    drawn: bool = True
    # Figures of the paper, and how the table of figures names what shows them, where that is not its name.
    paper: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        unknown = [need for need in (*self.needs, *self.fields) if need not in WHY]
        if unknown:
            raise ValueError(f"{self.name}: nothing says why without {unknown[0]!r} it is left out")


CATALOGUE: tuple[Analysis, ...] = (
    Analysis("left_out", "Questions left out", "choices", drawn=False),
    Analysis("overall", "Means over questions", "choices", by_metric=True, drawn=False),
    Analysis("by_length", "Against length", "choices", by_metric=True, needs=("length",), after="overall",
             paper=(("2a, 2b", None), ("2c", None), ("8, 9, 10", None), ("13", "bias2_against_variance"),
                    ("23", "by_length (with `--where topic=…`)"))),
    Analysis("overthinking", "Longer against shorter samples", "choices", by_metric=True, needs=("length",),
             after="overall", paper=(("3", None), ("17", None))),
    Analysis("by_topic", "By topic", "choices", by_metric=True, needs=("length", "topic"), after="overall",
             paper=(("22", None),)),
    Analysis("by_difficulty", "By the benchmark's difficulty", "choices", by_metric=True,
             needs=("length", "difficulty"), after="overall", paper=(("22", None),)),
    Analysis("wait_ratio", "Against the share of “wait” in the reasoning", "choices", by_metric=True,
             needs=("reasoning",), after="overall", paper=(("18", None),)),
    Analysis("ensembles", "Ensembles", "choices", by_metric=True, after="overall",
             paper=(("7b", None), ("11", "ensembles_kl"))),
    Analysis("efficiency", "From fewer samples", "choices", by_metric=True, after="overall",
             paper=(("21", None),)),
    Analysis("sensitivity", "What was decided on the way", "choices", by_metric=True, after="overall"),
    Analysis("differences", "Differences", "pairs", by_metric=True),
    Analysis("by_budget", "By reasoning budget", "budgets", by_metric=True, needs=("length", "budget"),
             paper=(("7a", None), ("17", None))),
    Analysis("scaling", "Scaling by difficulty", "settings", by_metric=True, needs=("parameters",),
             paper=(("4a", None), ("5", None), ("12", None), ("15, 16", None))),
    Analysis("surface", "Length and size together", "settings", by_metric=True, needs=("parameters",),
             paper=(("14", None),)),
    Analysis("length_correlation", "Lengths between models", "settings", drawn=False,
             paper=(("5", "length_correlation (table)"), ("12", "length_correlation (table)"))),
    Analysis("repeats", "Right in k samples", "series"),
    Analysis("answer_changes", "Changes of answer", "choices", paper=(("20", None),)),
    Analysis("answer_changes_by_difficulty", "Changes of answer by the benchmark's difficulty", "choices",
             needs=("difficulty",), paper=(("20", None),)),
    Analysis("one_question", "One question", "choices", paper=(("19", None),)),
    Analysis("format_failures", "Answers that could not be parsed", "budgets", drawn=False,
             paper=(("Table 1", "format_failures (table)"),)),
    Analysis("unit_tests", "Unit tests", "series", needs=("tests",), drawn=False),
    Analysis("unit_tests_by", "Unit tests against", "series", after="unit_tests",
             fields=("actions", "output_tokens", "reasoning_tokens"),
             paper=(("2a, 2b", "unit_tests_by_…"), ("25", "unit_tests_by_…"))),
    Analysis("unit_tests_overthinking", "Unit tests: longer against shorter runs", "series",
             after="unit_tests", paper=(("3", None),)),
    Analysis("open_answers", "Open answers: variance of embeddings against length", "series",
             needs=("vectors", "length"),
             paper=(("2c", None), ("24", "open_answers (with `--where topic=…`)"))),
    Analysis("shares", "Outcomes between 0 and 1", "shares", drawn=False),
    Analysis("shares_by", "Outcomes between 0 and 1, against", "shares", needs=("length",),
             fields=("length",), after="shares"),
)  # fmt: skip


def named(name: str) -> Analysis:
    """Return the analysis of a name.

    Raises:
        ValueError: where there is none.
    """
    for analysis in CATALOGUE:
        if analysis.name == name:
            return analysis
    raise ValueError(f"no analysis is called {name!r}")


def shown_in(figure: str) -> str:
    """Return what shows a figure of the paper, as the table of figures names it."""
    shown = [name or analysis.name for analysis in CATALOGUE
             for of, name in analysis.paper if of == figure]  # fmt: skip
    return ", ".join(dict.fromkeys(shown))
