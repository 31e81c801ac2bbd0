"""A plan, as the terminal tells it."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from hotmess_jax.llm.planning import FEW, FEW_EFFECTIVE, QUANTITIES, Cell, Plan, Promise
from hotmess_jax.llm.repeat_tables import clusters_note
from hotmess_jax.llm.telling import PARTS_NAMED
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import number


def print_plan(plan: Plan, console: Console) -> None:
    """Print half-widths, differences that can be found, what narrows them, and how sure that is."""
    name = plan.compared or plan.label
    console.print(f"{name}, by questions × samples, Brier, corrected", highlight=False, markup=False)
    header = ["size", *(PARTS_NAMED.get(q, q) for q in QUANTITIES)]
    for title, which in (
        ("half-width of the 95 % interval", "half_width"),
        ("smallest difference found with 80 % power, paired", "detectable"),
    ):
        table = right_aligned_table(title, header)
        for cell in plan.cells:
            found: Mapping[str, Promise] = getattr(cell, which)
            table.add_row(_size(cell), *(_cell(found[q]) for q in QUANTITIES))
        console.print(table)
    for line in notes(plan):
        console.print(line, highlight=False, markup=False)


def notes(plan: Plan) -> Sequence[str]:
    """Say what the pilot is, what narrows an interval for the same tokens, and how sure all of it is."""
    left = f"; {plan.left_out} with fewer than four samples are left out" if plan.left_out else ""
    tokens = (
        "no record says how many tokens a sample takes"
        if plan.tokens is None or plan.field is None
        else f"{plan.tokens:,.0f} {plan.field.replace('_', ' ')} a sample, without the question's own"
    )
    said = [
        f"The pilot has {plan.questions} questions with {plan.samples:.3g} samples each{left}; {tokens}.",
    ]
    if plan.cluster is not None and plan.clusters is not None:
        note = clusters_note(plan.cluster, plan.clusters)
        said.append(f"Of the pilot, {note} More questions are taken to come in clusters like these.")
    for name, gain in plan.gains.items():
        more, deep = (100 * (1 - share) for share in (gain.more_questions, gain.more_samples))
        better = (
            "more questions" if more > deep + 0.5 else "more samples" if deep > more + 0.5 else "either"
        )
        said.append(
            f"{PARTS_NAMED.get(name, name)}: twice the questions narrow it by {more:.0f} %, twice the samples by "
            f"{deep:.0f} %: {better}. For the same tokens, {gain.best_samples} samples a question are best."
        )
    if plan.compared is None:
        said.append(
            "Differences are of two conditions like the pilot that differ by the same on every question: "
            "the best case. --compare takes their real spread from a pilot of both."
        )
    said.append(
        "In brackets: where 95 % of pilots of so many questions, drawn from these, would put the number."
    )
    few = [cell for cell in plan.cells if cell.effective_questions < FEW_EFFECTIVE]
    if few:
        sizes = ", ".join(f"{cell.questions:,} × {cell.samples}" for cell in few)
        said.append(
            f"Warning: at {sizes} fewer than {FEW_EFFECTIVE} questions would hold the error. In simulations of such "
            "the power at a given difference was up to eight points off; elsewhere it was within five."
        )
    if plan.questions < FEW:
        said.append(f"Warning: a pilot of {plan.questions} questions promises little.")
    return said


def _size(cell: Cell) -> str:
    tokens = "" if cell.tokens is None else f"\n{cell.tokens:,.0f} tokens"
    return f"{cell.questions:,} × {cell.samples}{tokens}"


def _cell(of: Promise) -> str:
    if of.value != of.value:
        return "–"
    return f"{number(of.value, 2)}\n[{number(of.low, 2)}, {number(of.high, 2)}]"
