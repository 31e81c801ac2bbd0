"""Repeated runs, as the terminal and the report tell of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from hotmess_jax.llm.measures.clusters import FEW
from hotmess_jax.llm.measures.comparing import Comparisons
from hotmess_jax.llm.measures.questions import QUANTITIES
from hotmess_jax.llm.telling import PARTS_NAMED, cell
from hotmess_jax.presentation.tables import right_aligned_table, table
from hotmess_jax.presentation.words import number

Json = Mapping[str, Any]
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


def print_repeats(found: Mapping[str, Json], console: Console) -> None:
    """Print what k samples do, and how far samples agree.

    Args:
        found: of each group, `Repeats.to_json`.
        console: where.
    """
    if not found:
        return
    names = [name for name in CURVES if any(of[name] for of in found.values())]
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


def repeats_section(found: Mapping[str, Json]) -> str:
    """Return the same as a section of a report."""
    names = [name for name in CURVES if any(of[name] for of in found.values())]
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


def _p(of: Json | None) -> str:
    """Return an adjusted p-value, "–" where there is none."""
    if of is None or of["p_holm"] is None:
        return "–"
    return "< 0.0001" if of["p_holm"] < 1e-4 else number(of["p_holm"], 2)


def shown_k(most: int) -> list[int]:
    """Return 1, 2, 4, … and the largest."""
    return sorted({*(2**i for i in range(most.bit_length()) if 2**i <= most), most} - {0})


def _rows(found: Mapping[str, Json], names: Sequence[str], gap: str) -> list[tuple[str, list[str]]]:
    rows = []
    for label, of in found.items():
        for k in shown_k(max(len(of[name]) for name in names)):
            cells = [cell(of[name].get(str(k)), gap) for name in names]
            counted = next(of[name][str(k)] for name in names if str(k) in of[name])
            rows.append((label if k == 1 else "", [str(k), str(counted["questions"]), *cells]))
    return rows


def repeats_notes(found: Mapping[str, Json]) -> list[str]:
    """Say how far samples agree, how far a run's accuracy varies, and what is missing and why."""
    notes = []
    for label, of in found.items():
        said = []
        agree = of["agreement"]
        if agree["answers"]:
            said.append(f"two samples give the same answer with a chance of {cell(agree['answers'])}")
        if agree["right"]:
            said.append(f"two samples are both right or both wrong with {cell(agree['right'])}")
        if of["run_spread"]:
            said.append(
                "between runs that ask each question once, the accuracy has a standard deviation of "
                f"{cell(of['run_spread'])}"
            )
        said += [of["no_pass"]] if of["no_pass"] else []
        most = len(of["pass_at_k"])
        if most and (out := of["pass_at_k"][str(most)]["left_out"]):
            said.append(f"{out} of {of['questions']} questions have fewer than {most} samples")
        if said:
            notes.append(f"{label}: {'; '.join(said)}.".replace("\n", ", "))
    return notes


def print_comparisons(compared: Comparisons, console: Console) -> None:
    """Print what conditions differ by from the baseline, a table a metric."""
    for metric in compared.made[0].metrics:
        for of in compared.made:
            found = of.metrics[metric]
            name_of = of.label.replace("\n", ", ")
            shown = right_aligned_table(
                f"{metric}: {name_of}; {found.questions} questions",
                ["difference of", "plug-in", "p", "corrected", "p"],
            )
            for name in (n for n in QUANTITIES if n in found.plugin):
                corrected = None if found.corrected is None else found.corrected[name].to_json()
                plugin: Json | None = found.plugin[name].to_json()
                if name == "accuracy" and corrected is not None:
                    plugin = None  # it is the same in both
                cells = [
                    text for value in (plugin, corrected) for text in (cell(value, "\n"), _p(value))
                ]
                shown.add_row(PARTS_NAMED.get(name, name), *cells)
            console.print(shown)
        notes = dict.fromkeys(
            of.metrics[metric].no_corrected for of in compared.made if of.metrics[metric].no_corrected
        )
        for note in notes:
            console.print(f"{note}.", highlight=False, markup=False)
    console.print(ABOUT_DIFFERENCES, highlight=False)
    for of in compared.made:
        name = of.label.replace("\n", ", ")
        if of.unequal:
            one, other = of.samples
            said = f"{name}: {one} samples against {other}. {UNEQUAL}"
            console.print(said, highlight=False, markup=False)
        if said := of_clusters(next(iter(of.metrics.values())).clusters):
            console.print(f"{name}: {said}", highlight=False, markup=False)
        for setting, (one, other) in of.also_differs.items():
            said = f"{name}: {setting} differs too, {one} against {other}."
            console.print(said, highlight=False, markup=False)
    for text in compared.not_made:
        console.print(f"Not compared: {text}", highlight=False, markup=False)


def differences_section(found: Mapping[str, Json]) -> str:
    """Return paired differences as a section of a report.

    Args:
        found: of each comparison, `Differences.to_json`.
    """
    rows, notes = [], []
    for label, of in found.items():
        both = of["samples"]
        for form, text in (("plugin", "plug-in"), ("corrected", "corrected")):
            if of[form] is None:
                continue
            cells = [
                cell(value := of[form][name])
                + (
                    ""
                    if value["p_holm"] is None
                    else f", p {'' if value['p_holm'] < 1e-4 else '= '}{_p(value)}"
                )
                for name in QUANTITIES
            ]
            first = form == "plugin"
            samples = f"{both['value']} − {both['baseline']}"
            rows.append([label if first else "", text, str(of["questions"]), samples, *cells])
        if both["value"] != both["baseline"]:
            notes.append(f"- {label}: unequal numbers of samples. {UNEQUAL}")
        if said := of_clusters(of["clusters"]):
            notes.append(f"- {label}: {said}")
    header = [
        "difference",
        "estimate",
        "questions",
        "samples",
        *(PARTS_NAMED.get(name, name) for name in QUANTITIES),
    ]
    return "\n\n".join(filter(None, [ABOUT_DIFFERENCES, table(header, rows), "\n".join(notes)]))
