"""What conclusions hang on: finished sweeps whose settings differ, a row each, beside their base."""

import collections
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import Draws, Reader, draws_of, of_final
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.pooling import pool
from hotmess_jax.synthetic.verdicts import Verdict, learned

TITLE = "# What the conclusions hang on"
SYMBOLS: dict[Verdict, str] = {"supported": "✓", "not supported": "✗", "inconclusive": "?"}
# What is estimated, not what was set: further draws, and the name of the defaults.
FINAL = ("bias2", "variance", "incoherence")
_FREE = ("seed", "preset")


@dataclass(frozen=True)
class Quoted:
    """A number as a sweep's document quotes it, and over what its interval is."""

    value: float
    ci95: tuple[float | None, float | None] | None
    over: str


@dataclass(frozen=True)
class Row:
    """One sweep, or several of other seeds as one."""

    differing: dict[str, Any]
    """Settings that are not the base's, and their values."""
    seeds: tuple[int, ...]
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

    def to_json(self) -> Json:
        """Return the table as JSON values."""
        return {"kind": "choices", **asdict(self)}


def choices(sweeps: Sequence[Mapping], paths: Sequence[str]) -> Choices:
    """Return a row of each sweep, those that differ in the seed alone as one.

    The base has, of each setting, the value that most sweeps have (of several as common, the first
    sweep's).

    Args:
        sweeps: documents of sweep.json with a finished model each, at least one.
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
    claims: list[Json] = next((sweep["claims"] for sweep in sweeps if sweep["claims"]), [])
    return Choices(
        {name: base[name] for name in varying},
        not rows[0].differing,
        {name: base[name] for name in names if name not in varying},
        tuple(claim["statement"] for claim in claims),
        tuple(rows),
    )


def _settings(sweep: Mapping) -> Json:
    config = {name: value for name, value in sweep["config"].items() if name not in _FREE}
    if "pooled_from" in sweep:  # of several runs; each has this many
        runs = sweep["pooled_from"]
        config["replicates"] = round(
            len({model["replicate"] for model in sweep["models"]}) / max(1, len(runs))
        )
    return config


def _as_one(
    sweeps: Sequence[Mapping], paths: Sequence[str]
) -> tuple[Mapping, tuple[str, ...], tuple[int, ...]]:
    """Return the document of sweeps of the same settings, where they lie, and their seeds."""
    single = [place for place, sweep in enumerate(sweeps) if "pooled_from" not in sweep]
    pools = [place for place in range(len(sweeps)) if place not in single]
    # A pool beside its parts holds nothing more.
    most = max(pools, key=lambda place: len(sweeps[place]["pooled_from"]), default=None)
    if most is not None and len(sweeps[most]["pooled_from"]) >= len(single):
        seeds = tuple(run["seed"] for run in sweeps[most]["pooled_from"])
        return sweeps[most], (paths[most],), seeds
    where = tuple(paths[place] for place in single)
    seeds = tuple(sweeps[place]["config"]["seed"] for place in single)
    if len(single) == 1:
        return sweeps[single[0]], where, seeds
    return conclude(pool([sweeps[place] for place in single], where)), where, seeds


def _row(
    sweep: Mapping, sources: tuple[str, ...], seeds: tuple[int, ...], differing: dict[str, Any]
) -> Row:
    draws = draws_of(learned(sweep))
    strayed = None if draws.lacks(of_final("strayed")) else _ends(draws, of_final("strayed"))
    return Row(
        differing,
        seeds,
        len(draws.draws),
        draws.names,
        _ends(draws, lambda model, _: model["validation_loss"]),
        strayed,
        {part: _ends(draws, of_final(part)) for part in FINAL},
        {
            name: _quoted(sweep["fits"].get(name), "exponent")
            for name in ("validation_loss", "bias2", "variance")
        },
        _quoted(sweep.get("exponent_difference"), "difference"),
        _quoted(sweep.get("incoherence_slope"), "slope"),
        tuple(claim["verdict"] for claim in sweep["claims"]),
        sources,
    )


def _ends(draws: Draws, read: Reader) -> tuple[float, float]:
    """Return the mean over all models of the smallest size, and of the largest."""
    values = draws.table(read)
    return float(np.nanmean(values[:, 0])), float(np.nanmean(values[:, -1]))


def _quoted(part: Mapping | None, name: str) -> Quoted | None:
    if part is None:
        return None
    ci95 = part["ci95"]
    return Quoted(part[name], None if ci95 is None else tuple(ci95), part.get("over", "sizes"))


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
