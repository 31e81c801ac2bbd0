"""Is what people hold to be more intelligent also less coherent: python -m experiments.survey RANKINGS.csv.

The CSV has the columns rater, question (intelligence or coherence), entity, category and rank (1 is the
most intelligent, or most coherent); raters of the two questions are different people. The raw rankings
of Hägele et al. 2026 (arXiv 2601.23045, Figures 4b and 27) were not published with the paper.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.documents import to_json
from hotmess_jax.llm import survey_figure
from hotmess_jax.llm.survey import Surveyed, analyse, read_survey
from hotmess_jax.llm.telling import cell
from hotmess_jax.machine.files import write_json
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import ending_in_one_line, fail_lines, parse, try_outputs
from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import number


@dataclass(frozen=True)
class SurveyConfig:
    """Correlate rankings on intelligence with rankings on incoherence."""

    rankings: Annotated[Path, tyro.conf.Positional]
    """CSV of rater, question, entity, category, rank."""

    out: Path | None = None
    """A folder for survey.json and the figure."""

    permutations: Annotated[int, Limits(10)] = 1_000
    """Permutations of the entities behind each p."""

    seed: int = 0
    """Of the permutations, and of the splits of the raters."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read, analyse, print."""
    config = parse(SurveyConfig)
    try:
        check_limits(config)
        try_outputs(folders=[config.out])
        found = analyse(read_survey(config.rankings), config.permutations, config.seed)
    except ValueError as error:
        fail_lines(str(error).splitlines())
    print_survey(found, Console())
    if config.out is not None:
        write_json(config.out / "survey.json", to_json(Surveyed, found))
        plotting.save(survey_figure.survey(found), config.out / "survey")


def print_survey(found: Surveyed, console: Console) -> None:
    """Print the mean ranks and their correlations."""
    header = ["entity", "intelligence", "incoherence"]
    table = right_aligned_table("Mean rank, as the share below", header)
    for row in sorted(found.entities, key=lambda row: -(row.intelligence.mean or 0)):
        ranks = row.intelligence, row.incoherence
        cells = (f"{number(of.mean)} ± {number(of.standard_error, 2)}" for of in ranks)
        table.add_row(row.entity, *cells)
    console.print(table)
    table = right_aligned_table(
        "Spearman's ρ, 95 % over entities; corrected: divided by the root of both reliabilities",
        ["entities of", "number", "ρ", "p", "reliabilities", "corrected"],
    )
    for name, of in found.correlations.items():
        both = ", ".join(number(each, 2) for each in of.reliabilities)
        table.add_row(name, str(of.entities), cell(of.rho), number(of.p, 2), both, cell(of.corrected))
    console.print(table)


if __name__ == "__main__":
    main()
