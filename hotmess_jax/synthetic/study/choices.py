"""What conclusions hang on: finished sweeps whose settings differ, a row each, beside their base."""

import collections
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotmess_jax.documents import Document, to_json
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.statistics.estimate import Interval, Over
from hotmess_jax.synthetic.draws import Draws, FinalName, Reader, draws_of, of_final, validation_loss
from hotmess_jax.synthetic.found import Compared
from hotmess_jax.synthetic.results import SweepResults
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.pooling import pool
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep
from hotmess_jax.synthetic.verdicts import Claim, Verdict, learned

TITLE = "# What the conclusions hang on"
SYMBOLS: dict[Verdict, str] = {"supported": "✓", "not supported": "✗", "inconclusive": "?"}
# What is estimated, not what was set: further draws, and the name of the defaults.
FINAL: tuple[FinalName, ...] = ("bias2", "variance", "incoherence")
_FREE = ("seed", "preset")


@dataclass(frozen=True)
class Quoted:
    """A number as a sweep's document quotes it, and over what its interval is."""

    value: float
    ci95: Interval | None
    over: Over


@dataclass(frozen=True)
class Row:
    """One sweep, or several of other seeds as one."""

    differing: dict[str, Any]
    """Settings that are not the base's, and their values."""
    seeds: tuple[int | None, ...]
    draws: int
    sizes: tuple[str, ...]
    loss: tuple[float, float]
    """Mean validation loss of the smallest and of the largest size, in nats per token."""
    strayed: tuple[float, float] | None
    """Mean share of starts that strayed, of the same two."""
    final: dict[str, tuple[float, float]]
    """Means of bias2, variance and incoherence at the last step, of the same two."""
    exponents: dict[str, Quoted | None]
    """Of validation_loss, bias2 and variance."""
    exponent_difference: Quoted | None
    incoherence_slope: Quoted | None
    verdicts: tuple[Verdict, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Choices:
    """A table of sweeps, the base first."""

    base: dict[str, Any]
    """The base's values of the settings that differ somewhere."""
    base_is_a_row: bool
    common: dict[str, Any]
    """Settings that are the same in every sweep."""
    claims: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_document(self) -> Document:
        """Return the table as JSON values."""
        return {"kind": "choices", **to_json(Choices, self)}


def choices(sweeps: Sequence[ConcludedSweep], paths: Sequence[str]) -> Choices:
    """Return a row of each sweep, those that differ in the seed alone as one.

    The base has, of each setting, the value that most sweeps have (of several as common, the first
    sweep's).

    Args:
        sweeps: as they were read, with a finished model each, at least one.
        paths: where each lies, to name it by.

    Raises:
        PoolingError: where sweeps of the same settings cannot be pooled.
    """
    groups: dict[str, list[int]] = collections.defaultdict(list)
    for place, sweep in enumerate(sweeps):
        groups[json.dumps(_settings(sweep), sort_keys=True)].append(place)
    settings = [json.loads(text) for text in groups]
    names = sorted({name for each in settings for name in each})
    # Text, so that lists can be counted; in the order of the sweeps, so that ties go to the first.
    values = {name: [json.dumps(each.get(name)) for each in settings] for name in names}
    base = {name: json.loads(collections.Counter(values[name]).most_common(1)[0][0]) for name in names}
    varying = [name for name in names if len(set(values[name])) > 1]
    rows = []
    for each, places in zip(settings, groups.values(), strict=True):
        differing = {name: each.get(name) for name in varying if each.get(name) != base[name]}
        rows.append(_row(*_as_one([sweeps[i] for i in places], [paths[i] for i in places]), differing))
    rows.sort(key=lambda row: bool(row.differing))  # keeps the order otherwise
    claims: tuple[Claim, ...] = next((sweep.claims for sweep in sweeps if sweep.claims), ())
    return Choices(
        {name: base[name] for name in varying},
        not rows[0].differing,
        {name: base[name] for name in names if name not in varying},
        tuple(claim.statement for claim in claims),
        tuple(rows),
    )


def _settings(sweep: SweepResults) -> dict[str, Any]:
    config = {name: value for name, value in sweep.config.items() if name not in _FREE}
    if (runs := sweep.pooled_from) is not None:  # of several runs; each has this many
        config["replicates"] = round(
            len({model.replicate for model in sweep.models}) / max(1, len(runs))
        )
    return config


def _as_one(
    sweeps: Sequence[ConcludedSweep], paths: Sequence[str]
) -> tuple[ConcludedSweep, tuple[str, ...], tuple[int | None, ...]]:
    """Return what sweeps of the same settings, where they lie, and their seeds."""
    single = [place for place, sweep in enumerate(sweeps) if sweep.pooled_from is None]
    pools = [place for place in range(len(sweeps)) if place not in single]
    # A pool beside its parts holds nothing more.
    most = max(pools, key=lambda place: len(sweeps[place].pooled_from or ()), default=None)
    runs = () if most is None else sweeps[most].pooled_from or ()
    if most is not None and len(runs) >= len(single):
        seeds = tuple(run.seed for run in runs)
        return sweeps[most], (paths[most],), seeds
    where = tuple(paths[place] for place in single)
    seeds = tuple(sweeps[place].config["seed"] for place in single)
    if len(single) == 1:
        return sweeps[single[0]], where, seeds
    return conclude(pool([sweeps[place] for place in single], where)), where, seeds


def _row(
    sweep: ConcludedSweep,
    sources: tuple[str, ...],
    seeds: tuple[int | None, ...],
    differing: dict[str, Any],
) -> Row:
    draws, found = draws_of(learned(sweep)), sweep.found
    strayed = None if draws.lacks(of_final("strayed")) else _ends(draws, of_final("strayed"))
    return Row(
        differing,
        seeds,
        len(draws.draws),
        draws.names,
        _ends(draws, validation_loss),
        strayed,
        {part: _ends(draws, of_final(part)) for part in FINAL},
        {name: _quoted(found.fits.get(name)) for name in ("validation_loss", "bias2", "variance")},
        _quoted(found.exponent_difference),
        _quoted(found.incoherence_slope),
        tuple(claim.verdict for claim in sweep.claims),
        sources,
    )


def _ends(draws: Draws, read: Reader) -> tuple[float, float]:
    """Return the mean over all models of the smallest size, and of the largest."""
    values = draws.table(read)
    return float(np.nanmean(values[:, 0])), float(np.nanmean(values[:, -1]))


def _quoted(part: Compared | None) -> Quoted | None:
    return None if part is None else Quoted(part.value, part.ci95, part.over)


def markdown(found: Choices) -> str:
    """Return the table as Markdown, with what is the same in all above it and a legend below."""
    others = [part for row in found.rows for part in
              (*row.exponents.values(), row.exponent_difference, row.incoherence_slope)
              if part is not None and part.over != "draws"]  # fmt: skip
    header = ["setting", "value", "draws", "sizes", "loss", "strayed", "bias²", "variance",
              "incoherence", "exponent of loss", "of bias²",
              "of variance", "difference", "incoherence per factor of ten",
              *(str(i + 1) for i in range(len(found.claims)))]  # fmt: skip
    rows = [
        [
            ", ".join(map(_name, row.differing)) or "base",
            ", ".join(map(_value, row.differing.values())) or "–",
            str(row.draws),
            " ".join(row.sizes),
            " → ".join(number(value) for value in row.loss),
            "–" if row.strayed is None else " → ".join(f"{value:.1%}" for value in row.strayed),
            *(" → ".join(map(number, row.final[part])) for part in FINAL),
            *map(_cell, row.exponents.values()),
            _cell(row.exponent_difference),
            _cell(row.incoherence_slope),
            *(SYMBOLS[verdict] for verdict in row.verdicts),
            *["–"] * (len(found.claims) - len(row.verdicts)),
        ]
        for row in found.rows
    ]
    lines = [TITLE, "", _above(found), "", table(header, rows), ""]
    lines += [f"{i}. {claim}." for i, claim in enumerate(found.claims, start=1)]
    lines += ["", ", ".join(f"{symbol} {verdict}" for verdict, symbol in SYMBOLS.items()) + ". "
              "Loss (validation, nats per token), the share of starts that strayed, and bias², variance "
              "and incoherence at the last step are means over all models of the smallest size → of the "
              "largest. Difference: exponent of bias² less that of "
              "variance. In brackets 95 % intervals over draws of the problem"
              + ("; † over sizes or replicates of one draw, which says nothing of other problems"
                 if others else "") + "."]  # fmt: skip
    return "\n".join(lines) + "\n"


def label(row: Row) -> str:
    """Return what a row differs in from the base, in words."""
    return ", ".join(f"{_name(n)} {_value(v)}" for n, v in row.differing.items()) or "base"


def _above(found: Choices) -> str:
    base = _list(found.base) if found.base else "the only settings there are"
    text = f"Base: {base}."
    if not found.base_is_a_row:
        text += " These are the most common values; no sweep has all of them."
    return f"{text}\n\nThe same in every row: {_list(found.common)}."


def _list(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{_name(name)} {_value(value)}" for name, value in settings.items())


def _name(name: str) -> str:
    return name.replace("_", "-")


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(part: Quoted | None) -> str:
    if part is None:
        return "–"
    mark = "" if part.over == "draws" else "†"
    return f"{exponent(part.value)} {interval(part.ci95)}{mark}"
