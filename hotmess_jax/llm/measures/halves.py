"""Natural overthinking: one question's longer samples against its shorter ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.measures.clusters import clusters_in, count_in
from hotmess_jax.llm.measures.cross_fitting import (
    LEAST,
    PARTS,
    Grouped,
    group_values,
    halves_difference,
)
from hotmess_jax.llm.measures.parts import Parts, parts_from
from hotmess_jax.llm.measures.questions import AnalysisSettings, with_incoherence
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import field_of, one_series
from hotmess_jax.llm.measures.subsets import (
    AT_ONCE,
    Measure,
    Sampled,
    SampledBlock,
    decompose_subsets,
    enough_samples,
    sampled_of,
)
from hotmess_jax.llm.telling import cell, counts, forms_of
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate

NO_KL = "KL has no corrected value of half of a question's samples"


@dataclass(frozen=True, slots=True)
class Half(Parts):
    """One half of each question's samples."""

    # Their mean length, which has no interval.
    along: Estimate


@dataclass(frozen=True, slots=True)
class HalvesForm:
    """Shorter and longer samples in one form, and longer less shorter."""

    short: Half
    long: Half
    difference: Parts


@dataclass(frozen=True, slots=True)
class Permuted:
    """A difference against those of permuted lengths; None where it is not known."""

    # Two-sided.
    p: float | None
    null_mean: float | None


@dataclass(frozen=True, slots=True)
class PermutationTests:
    """What is tested: incoherence corrected, where that is known."""

    incoherence: Permuted
    accuracy: Permuted


TESTED = tuple(of.name for of in fields(PermutationTests))


@dataclass(frozen=True, slots=True)
class Halves:
    """Each question's longer samples against its shorter ones."""

    # The samples' length.
    field: str
    metric: Measure
    questions: int
    # None where no field says.
    clusters: int | None
    # In both halves.
    samples: int
    permutations: int
    # Questions of several contexts, which are permuted whole, and those of which a half is of one context:
    # its samples were taken as independent.
    contexts: int
    one_context_halves: int
    # Why there is no corrected form; None where there is.
    no_corrected: str | None
    plugin: HalvesForm
    corrected: HalvesForm | None
    test: PermutationTests
    # Questions with the field that have too few samples.
    left_out: int = 0


def natural_overthinking(
    records: pl.DataFrame, field: str, settings: AnalysisSettings, permutations: int = 1_000
) -> Halves:
    """Split each question's samples at its own median length, and compare the two halves.

    Each half has the same number of samples; of an odd number the one in the middle is left out, and
    equal lengths are ordered at random. The test permutes the lengths of each question's samples, whole
    contexts where samples have them: what it rejects is that lengths say nothing of the answers. It is of these
    questions, whether or not they are in clusters. Equal
    incoherence is less than that, and is what the interval of the difference is about.

    Args:
        records: of one model; where they hold unit tests, the metric is their coverage error.
        field: the samples' length; samples without it are left out.
        settings: metric, treatment of unparsed answers, and seed.
        permutations: of the test.

    Raises:
        ValueError: where no question has two samples in each half, or none has lengths that differ.

    Source: Hägele et al. 2026, Section 3.1.2, Figures 3 and 17.
    """
    records = one_series(records).table
    usable = records.filter(field_of(records, field).is_not_null())
    sampled = sampled_of(usable, settings)
    along = usable[field].to_numpy().astype(np.float64)
    lengths = [np.where(block.present, along[block.record], np.inf) for block in sampled.blocks]
    found = compare_halves(sampled, lengths, settings, permutations, field)
    return replace(found, left_out=usable.select(QUESTION).n_unique() - found.questions)


def compare_halves(
    sampled: Sampled,
    lengths: Sequence[Float[np.ndarray, "questions samples"]],
    settings: AnalysisSettings,
    permutations: int,
    field: str,
) -> Halves:
    """Return what `natural_overthinking` does of questions sample by sample, but for those left out.

    Args:
        sampled: the questions.
        lengths: of each block, each sample's length; infinity where there is none.
        settings: the seed.
        permutations: of the test.
        field: the lengths' name.

    Raises:
        ValueError: as in `natural_overthinking`.
    """
    sampled, lengths = _with_halves(sampled, lengths, field)
    random = np.random.default_rng(settings.seed)
    places = [_by_length(length, random) for length in lengths]
    halves = [
        _halves(block, place[:, None]) for block, place in zip(sampled.blocks, places, strict=True)
    ]
    no_corrected = NO_KL if sampled.measure == "kl" else None
    plugin = _compare(sampled, halves, lengths, "plugin")
    corrected = None if no_corrected else _compare(sampled, halves, lengths, "corrected")
    form = "plugin" if no_corrected else "corrected"
    null = np.concatenate(list(_permuted(sampled, form, places, permutations, random)))
    observed = (corrected or plugin).difference
    tests = {name: _against(getattr(observed, name).value, null[:, i]) for i, name in enumerate(TESTED)}
    return Halves(
        field,
        sampled.measure,
        sum(len(block.target) for block in sampled.blocks),
        count_in(sampled.who),
        sum(int(half.sum()) for half in halves),
        permutations,
        sum(int((block.context.max(axis=1) > 0).sum()) for block in sampled.blocks),
        sum(_of_one_context(*pair) for pair in zip(sampled.blocks, halves, strict=True)),
        no_corrected,
        plugin,
        corrected,
        PermutationTests(**tests),
    )


def _with_halves(
    sampled: Sampled, lengths: Sequence[Float[np.ndarray, "_questions _samples"]], field: str
) -> tuple[Sampled, list[Float[np.ndarray, "_questions _samples"]]]:
    """Return the questions with two samples in each half, and their lengths.

    Raises:
        ValueError: where there are none, or none has lengths that differ.
    """
    chosen = [enough_samples(block, LEAST) for block in sampled.blocks]
    blocks = [
        SampledBlock(*(part[enough] for part in block))
        for block, enough in zip(sampled.blocks, chosen, strict=True)
        if enough.any()
    ]
    kept = [of[enough] for of, enough in zip(lengths, chosen, strict=True) if enough.any()]
    if not blocks:
        raise ValueError(f"no question has two samples on either side of its median {field!r}")
    if all(
        (np.where(block.present, of, of[:, :1]) == of[:, :1]).all()
        for block, of in zip(blocks, kept, strict=True)
    ):
        raise ValueError(f"{field!r} is the same of all samples of every question")
    who = sampled.who.filter(np.concatenate(chosen))
    return sampled._replace(who=who, blocks=blocks), kept


def _compare(
    sampled: Sampled,
    halves: Sequence[Bool[np.ndarray, "_questions 2 _samples"]],
    lengths: Sequence[Float[np.ndarray, "_questions _samples"]],
    form: str,
) -> HalvesForm:
    """Return the two halves and their difference in one form."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("along", *PARTS)}
    for block, half, length in zip(sampled.blocks, halves, lengths, strict=True):
        found = decompose_subsets(sampled.measure, block, half)
        parts = found.plugin if form == "plugin" else found.corrected
        for name in PARTS:
            columns[name].append(found.accuracy if name == "accuracy" else getattr(parts, name))
        sums = np.where(half, length[:, None, :], 0).sum(axis=2)
        columns["along"].append(sums / half.sum(axis=2))
    joined = {name: np.concatenate(column) for name, column in columns.items()}
    both = Grouped(np.ones_like(joined["along"]), **joined)
    clusters = clusters_in(sampled.who)
    values, ends = group_values(both, sampled.most, clusters)
    short, long = (
        parts_from(
            {name: value[i] for name, value in values.items()},
            {name: end[:, i] for name, end in ends.items()},
            Half,
        )
        for i in range(2)
    )
    between = halves_difference(both, sampled.most, True, clusters)
    return HalvesForm(short, long, parts_from(*between, Parts))


def _against(observed: float | None, null: Float[np.ndarray, " permutations"]) -> Permuted:
    """Return the two-sided p of a difference and the null's mean, over the splits that have one.

    None where the difference is not known: in a half without an error incoherence is 0/0.
    """
    null = null[np.isfinite(null)]
    if observed is None or not len(null):
        return Permuted(None, None)
    extreme = np.abs(null) >= abs(observed) - 1e-12
    return Permuted(float((1 + extreme.sum()) / (1 + len(null))), float(null.mean()))


def _by_length(
    length: Float[np.ndarray, "questions samples"], random: np.random.Generator
) -> Int[np.ndarray, "questions samples"]:
    """Return each sample's place by length, ties at random; those that are absent stand last."""
    order = np.lexsort((random.random(length.shape), length), axis=-1)
    return np.argsort(order, axis=-1)


def _halves(
    block: SampledBlock, place: Int[np.ndarray, "questions splits samples"]
) -> Bool[np.ndarray, "questions both samples"]:
    """Return which samples are in the shorter halves of all splits, and then in the longer ones."""
    number = block.present.sum(axis=1)[:, None, None]
    half = number // 2
    present = block.present[:, None, :]
    return np.concatenate([place < half, place >= number - half], axis=1) & present


def _of_one_context(block: SampledBlock, half: Bool[np.ndarray, "questions 2 samples"]) -> int:
    """Count questions of several contexts of which a half is of one."""
    context = block.context[:, None, :]
    highest = np.where(half, context, -1).max(axis=2)
    lowest = np.where(half, context, block.context.max(initial=0) + 1).min(axis=2)
    return int(((block.context.max(axis=1) > 0) & (highest == lowest).any(axis=1)).sum())


def _shuffled(
    block: SampledBlock,
    place: Int[np.ndarray, "questions samples"],
    splits: int,
    random: np.random.Generator,
) -> Int[np.ndarray, "questions splits samples"]:
    """Return the places by length that samples have when lengths are shuffled.

    Contexts of one size trade their samples' lengths, which are shuffled within each too.
    """
    present, context = block.present, np.maximum(block.context, 0)
    contexts = int(context.max(initial=0)) + 1
    sizes = ((context[..., None] == np.arange(contexts)) & present[..., None]).sum(axis=1)
    size = np.take_along_axis(sizes, context, axis=1)
    first = np.where(present, size * (contexts + 1) + context, np.inf)
    base = np.argsort(first, axis=1, kind="stable")
    drawn = np.argsort(random.random((len(context), splits, contexts)), axis=2)
    shape = (len(context), splits, context.shape[1])
    rank = np.take_along_axis(drawn, np.broadcast_to(context[:, None], shape), axis=2)
    key = size[:, None] * (contexts + 1) + rank + random.random(shape)
    order = np.argsort(np.where(present[:, None], key, np.inf), axis=2)
    found = np.empty(shape, int)
    given = np.take_along_axis(np.broadcast_to(place[:, None], shape), order, axis=2)
    np.put_along_axis(found, np.broadcast_to(base[:, None], shape), given, axis=2)
    return found


def _permuted(
    sampled: Sampled,
    form: str,
    places: Sequence[Int[np.ndarray, "questions samples"]],
    permutations: int,
    random: np.random.Generator,
) -> Iterator[Float[np.ndarray, "some 2"]]:
    """Yield the differences of incoherence and accuracy between halves by shuffled lengths."""
    blocks = sampled.blocks
    largest = max(block.present.size for block in blocks)
    chunk = max(1, AT_ONCE // largest)
    for first in range(0, permutations, chunk):
        splits = min(chunk, permutations - first)
        total = np.zeros((4, 2, splits))
        for block, place in zip(blocks, places, strict=True):
            chosen = _halves(block, _shuffled(block, place, splits, random))
            found = decompose_subsets(sampled.measure, block, chosen)
            parts = found.plugin if form == "plugin" else found.corrected
            total += np.stack([part.sum(axis=0) for part in (*parts, found.accuracy)]).reshape(4, 2, -1)
        count = sum(len(block.target) for block in blocks)
        sums = with_incoherence(dict(zip(PARTS, total / count, strict=True)))
        yield np.stack([sums[name][1] - sums[name][0] for name in TESTED], axis=1)


def tell_halves(results: Mapping[str, Halves]) -> str:
    """Return longer against shorter samples as a section of a report."""
    rows, notes = [], []
    for model, result in results.items():
        forms = forms_of(result)
        for form, text in forms:
            cells = _compared_cells(getattr(result, form), result.test if form == forms[0][0] else None)
            rows.append([model, text, *counts(result), *cells])
        if said := _halves_notes(result):
            notes.append(f"- {model}: {' '.join(said)}")
    header = ["model", "estimate", "questions", "samples"]
    header += [title for name in TESTED for title in (f"{name}, shorter", "longer", "difference")]
    first = next(iter(results.values()))
    field = " or ".join(dict.fromkeys(of.field.replace("_", " ") for of in results.values()))
    about = (
        f"Each question's samples, split at its own median {field}; p of "
        f"{first.permutations:,} permutations of the lengths within each question. The test rejects "
        "that lengths say nothing of the answers, not that incoherence is equal: that is what the "
        "difference's interval is about."
    )
    return "\n\n".join(filter(None, [about, table(header, rows), "\n".join(notes)]))


def _compared_cells(form: HalvesForm, tests: PermutationTests | None) -> list[str]:
    """Return the cells of what is tested: of both halves, and of their difference with its p."""
    cells = []
    for name in TESTED:
        p = None if tests is None else getattr(tests, name).p
        cells += [cell(getattr(of, name)) for of in (form.short, form.long)]
        cells.append(
            cell(getattr(form.difference, name)) + ("" if p is None else f", p = {number(p, 2)}")
        )
    return cells


def _halves_notes(result: Halves) -> list[str]:
    """Say what must be known of the comparison."""
    said = []
    if result.no_corrected:
        said.append(f"{result.no_corrected}.")
    if result.contexts:
        said.append(f"Of {result.contexts} questions whole contexts are permuted.")
    if result.one_context_halves:
        said.append(
            f"Of {result.one_context_halves} questions of several contexts a half is of one: corrected, its "
            "samples are taken as independent."
        )
    return said
