"""Repeated runs, as the terminal and the report tell of them."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from hotmess_jax.llm.measures.clusters import FEW
from hotmess_jax.llm.measures.comparing import Comparison, Comparisons, Differences, Paired
from hotmess_jax.llm.measures.questions import QUANTITIES
from hotmess_jax.llm.measures.repeats import Repeats
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell
from hotmess_jax.presentation.tables import right_aligned_table, table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate

CURVES = {"pass_at_k": "pass@k", "pass_hat_k": "pass^k", "majority": "majority"}
ABOUT_DIFFERENCES = (
    "Paired, on the questions that both have, with 95 % intervals over them; p is two-sided, of each quantity by Holm "
    "over all comparisons here."
)
UNEQUAL = (
    "Plug-in values grow with the number of samples: compare corrected ones where numbers are unequal."
)
ABOUT_REPEATS = (
    "pass@k: at least one of k samples is right; pass^k: all of them; majority: of k answers, ties shared. Each is "
    "unbiased, over the questions that have k samples."
)


def print_repeats(found: Mapping[str, Repeats], console: Console) -> None:
    """Print what k samples do, and how far samples agree.

    Args:
        found: of each group.
        console: where.
    """
    if not found:
        return
    names = [name for name in CURVES if any(_curve(of, name) for of in found.values())]
    if names:
        shown = right_aligned_table(
            "Right in k samples, 95 % intervals",
            ["group", "k", "questions", *(CURVES[name] for name in names)],
        )
        for label, row in _rows(found, names, "\n"):
            shown.add_row(label, *row)
        console.print(shown)
        console.print(ABOUT_REPEATS, highlight=False)
    for line in repeats_notes(found):
        console.print(line, highlight=False, markup=False)


def repeats_section(found: Mapping[str, Repeats]) -> str:
    """Return the same as a section of a report."""
    names = [name for name in CURVES if any(_curve(of, name) for of in found.values())]
    header = ["model", "k", "questions", *(CURVES[name] for name in names)]
    rows = [[label, *row] for label, row in _rows(found, names, " ")]
    notes = "\n".join(f"- {line}" for line in repeats_notes(found))
    return "\n\n".join([ABOUT_REPEATS, *([table(header, rows)] if rows else []), notes])


def clusters_note(field: str, number: int) -> str:
    """Say over how many clusters intervals are, with a warning where these are few."""
    few = f" Warning: so few clusters, fewer than {FEW}, tell little of others." if number < FEW else ""
    return f"intervals are over {number} clusters of questions with one {field}.{few}"


def of_clusters(number: int | None) -> str:
    """Say over how many clusters a comparison is; nothing where it is over questions."""
    if number is None:
        return ""
    few = f", fewer than {FEW}: they tell little of others" if number < FEW else ""
    return f"intervals and tests are over {number} clusters of these questions{few}."


def _curve(of: Repeats, name: str) -> tuple[Estimate, ...]:
    """Return the estimates of k = 1, 2, … by name."""
    found: tuple[Estimate, ...] = getattr(of, name)
    return found


def _p(p_holm: float | None) -> str:
    """Return an adjusted p-value, "–" where there is none."""
    if p_holm is None:
        return "–"
    return "< 0.0001" if p_holm < 1e-4 else number(p_holm, 2)


def shown_k(most: int) -> list[int]:
    """Return 1, 2, 4, … and the largest."""
    return sorted({*(2**i for i in range(most.bit_length()) if 2**i <= most), most} - {0})


def _rows(found: Mapping[str, Repeats], names: Sequence[str], gap: str) -> list[tuple[str, list[str]]]:
    rows = []
    for label, of in found.items():
        curves = [_curve(of, name) for name in names]
        for k in shown_k(max(map(len, curves))):
            at = [curve[k - 1] if k <= len(curve) else None for curve in curves]
            counted = next(each.counted for each in at if each is not None)
            cells = [cell(each, gap) for each in at]
            rows.append((label if k == 1 else "", [str(k), str(counted), *cells]))
    return rows


def repeats_notes(found: Mapping[str, Repeats]) -> list[str]:
    """Say how far samples agree, how far a run's accuracy varies, and what is missing and why."""
    notes = []
    for label, of in found.items():
        said = []
        if of.agreement_of_answers is not None:
            agree = cell(of.agreement_of_answers)
            said.append(f"two samples give the same answer with a chance of {agree}")
        if of.agreement_of_right is not None:
            said.append(f"two samples are both right or both wrong with {cell(of.agreement_of_right)}")
        if of.run_spread is not None:
            said.append(
                "between runs that ask each question once, the accuracy has a standard deviation of "
                f"{cell(of.run_spread)}"
            )
        said += [of.no_pass] if of.no_pass else []
        most = len(of.pass_at_k)
        if most and (out := of.left_out(of.pass_at_k[-1])):
            said.append(f"{out} of {of.questions} questions have fewer than {most} samples")
        if said:
            notes.append(f"{label}: {'; '.join(said)}.".replace("\n", ", "))
    return notes


def print_comparisons(compared: Comparisons, console: Console) -> None:
    """Print what conditions differ by from the baseline, a table a metric."""
    for metric in compared.made[0].metrics:
        for of in compared.made:
            _print_differences(of, metric, console)
        notes = dict.fromkeys(
            of.metrics[metric].no_corrected for of in compared.made if of.metrics[metric].no_corrected
        )
        for note in notes:
            console.print(f"{note}.", highlight=False, markup=False)
    console.print(ABOUT_DIFFERENCES, highlight=False)
    for of in compared.made:
        name = _in_a_line(of)
        if of.samples.unequal:
            said = f"{name}: {of.samples.value} samples against {of.samples.baseline}. {UNEQUAL}"
            console.print(said, highlight=False, markup=False)
        if said := of_clusters(next(iter(of.metrics.values())).clusters):
            console.print(f"{name}: {said}", highlight=False, markup=False)
        for setting, (one, other) in of.also_differs.items():
            said = f"{name}: {setting} differs too, {one} against {other}."
            console.print(said, highlight=False, markup=False)
    for text in compared.not_made:
        console.print(f"Not compared: {text}", highlight=False, markup=False)


def _print_differences(of: Comparison, metric: str, console: Console) -> None:
    """Print a comparison's differences by one metric."""
    found = of.metrics[metric]
    shown = right_aligned_table(
        f"{metric}: {_in_a_line(of)}; {found.questions} questions",
        ["difference of", "plug-in", "p", "corrected", "p"],
    )
    for name, plugin in found.plugin.items():
        corrected = None if found.corrected is None else found.corrected[name]
        # Accuracy is the same in both.
        both = None if name == "accuracy" and corrected is not None else plugin, corrected
        cells = [text for value in both for text in _with_p(value)]
        shown.add_row(PARTS_NAMED.get(name, name), *cells)
    console.print(shown)


def _with_p(of: Paired | None) -> tuple[str, str]:
    """Return the cells of a difference and of its p-value."""
    return ("–", "–") if of is None else (cell(of.estimate, "\n"), _p(of.p_holm))


def _in_a_line(of: Comparison) -> str:
    return of.label.replace("\n", ", ")


def differences_section(found: Mapping[str, Differences]) -> str:
    """Return paired differences as a section of a report.

    Args:
        found: of each comparison.
    """
    rows, notes = [], []
    for label, of in found.items():
        for form, parts in (("plugin", of.plugin), ("corrected", of.corrected)):
            if parts is None:
                continue
            cells = [_cell(parts[name]) if name in parts else "–" for name in QUANTITIES]
            samples = f"{of.samples.value} − {of.samples.baseline}"
            first = label if form == "plugin" else ""
            rows.append([first, FORM_NAMES[form], str(of.questions), samples, *cells])
        if of.samples.unequal:
            notes.append(f"- {label}: unequal numbers of samples. {UNEQUAL}")
        if said := of_clusters(of.clusters):
            notes.append(f"- {label}: {said}")
    header = ["difference", "estimate", "questions", "samples",
              *(PARTS_NAMED.get(name, name) for name in QUANTITIES)]  # fmt: skip
    return "\n\n".join(filter(None, [ABOUT_DIFFERENCES, table(header, rows), "\n".join(notes)]))


def _cell(of: Paired) -> str:
    """Return a difference with its p-value, where it has one."""
    if of.p_holm is None:
        return cell(of.estimate)
    return f"{cell(of.estimate)}, p {'' if of.p_holm < 1e-4 else '= '}{_p(of.p_holm)}"
