"""Groups of records, as the terminal tells of them."""

from collections.abc import Sequence

from rich.console import Console

from hotmess_jax.llm.measures.means import Means, context_cells, means_notes
from hotmess_jax.llm.measures.parts import Parts
from hotmess_jax.llm.measures.questions import NO_ZERO_ONE
from hotmess_jax.llm.measures.successes import SHARES_METRIC
from hotmess_jax.llm.measures.summary import Group, Summary, parts_in
from hotmess_jax.llm.repeat_tables import clusters_note, print_comparisons, print_repeats
from hotmess_jax.llm.telling import PARTS_NAMED, cell
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import number

UNITS = {"brier": "0 to 2", "kl": "nats", "zero_one": "0 to 1", SHARES_METRIC: "0 to 1"}
BETTER = "bias² and variance are better lower, of incoherence neither end is"
CAVEAT = (
    "Incoherence is the share of the error that is inconsistent. It measures neither misalignment nor "
    "quality: a model that is always wrong in the same way has none."
)


def print_summary(summary: Summary, console: Console) -> None:
    """Print the groups of choices and those of outcomes between 0 and 1, what k samples do, and what is compared."""
    shares = [group for group in summary.groups if SHARES_METRIC in group.metrics]
    for groups in ([group for group in summary.groups if group not in shares], shares):
        if groups:
            print_groups(groups, console)
    repeated = {group.label: group.repeats for group in summary.groups if group.repeats is not None}
    print_repeats(repeated, console)
    for text in (*summary.meanings, CAVEAT):
        console.print(text, highlight=False)
    if summary.compared is not None:
        print_comparisons(summary.compared, console)


def print_groups(groups: Sequence[Group], console: Console) -> None:
    """Print the counts of groups of one kind, then a table a metric."""
    counts = right_aligned_table(
        "Samples", ["group", "questions", "samples", "left out", "accuracy", "unparsed"]
    )
    for group in groups:
        shares = f"{group.accuracy:.3f}", f"{group.unparsed:.3f}"
        numbers = group.questions, group.samples, group.left_out
        counts.add_row(group.label, *map(str, numbers), *shares)
    console.print(counts)
    for group in groups:
        for note in _counts_notes(group):
            _print_note(f"{group.label}: {note}", console)
    for metric in groups[0].metrics:
        _print_metric(groups, metric, console)


def _counts_notes(group: Group) -> list[str]:
    """Say over which clusters a group's intervals are, and what kind of questions is left out."""
    notes = []
    if group.clusters is not None:
        notes.append(clusters_note(group.clusters.field, group.clusters.number))
    return notes + [
        f"left out for too few samples: {row.left_out} of {row.questions} questions ({row.group})"
        for row in group.left_out_by
        if row.left_out
    ]


def _print_metric(groups: Sequence[Group], metric: str, console: Console) -> None:
    """Print the means of one metric, and what must be known of them."""
    parts = [name for name in parts_in(metric) if name != "error"]
    of_groups = [group.metrics[metric] for group in groups]
    # Of the corrected variance: how much is between contexts, and how much within them.
    told = any(of and of.contexts and of.contexts.questions for of in of_groups)
    columns = [PARTS_NAMED.get(name, name) for name in parts]
    columns[2:2] = ["between\ncontexts", "within\ncontexts"] if told else []
    title = f"{metric} ({UNITS[metric]}): means over questions, 95 % intervals; {BETTER}"
    table = right_aligned_table(title, ["group", "estimate", "effective\nquestions", *columns])
    notes = []
    for group, means in zip(groups, of_groups, strict=True):
        if means is None:
            table.add_row(group.label, f"none: {group.why_none}")
            continue
        for row in _rows(group, means, parts, told):
            table.add_row(*row)
        said = [] if metric == "zero_one" else means_notes(means, group.decomposed)
        if said:
            notes.append(f"{group.label}: {' '.join(said)}")
    console.print(table)
    if metric == "zero_one":
        notes.append(f"{NO_ZERO_ONE}.")
    for note in notes:
        _print_note(note, console)


def _rows(group: Group, means: Means, parts: Sequence[str], told: bool) -> list[list[str]]:
    """Return a group's rows, one a form that it has."""

    def cells(form: Parts, name: str) -> list[str]:
        found = [cell(getattr(form, part), "\n") for part in parts]
        if told:
            found[2:2] = context_cells(means.contexts if name == "corrected" else None, "\n")
        return found

    effective = number(means.effective_questions)
    rows = [[group.label, "plug-in", effective, *cells(means.plugin, "plugin")]]
    if means.no_corrected is None:
        rows.append(["", "corrected", "", *cells(means.corrected, "corrected")])
    return rows


def _print_note(note: str, console: Console) -> None:
    console.print(note.replace("\n", ", "), highlight=False, markup=False)
