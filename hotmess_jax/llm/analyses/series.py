"""What a study is of: one model at one setting, since settings change what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hotmess_jax.llm.records import SETTINGS, TASK_SETTINGS


@dataclass(frozen=True)
class Series:
    """One model's records at one setting."""

    # The model, and those settings that tell it from the study's others.
    label: str
    model: str
    settings: dict[str, Any]
    records: pl.DataFrame


def settings_that_differ(
    records: pl.DataFrame, known: Sequence[str] = ("model",), but: Sequence[str] = ()
) -> list[str]:
    """Return the settings that tell records apart which the fields in `known` do not.

    Args:
        records: of any models.
        known: fields that already tell records apart.
        but: settings to leave aside.
    """
    keys = list(known)
    for name in SETTINGS:
        if name not in records.columns or name in keys or name in but:
            continue
        if records.select(*keys, name).n_unique() > records.select(keys).n_unique():
            keys.append(name)
    # Tasks of one run may have their own of these: what counts is whether one benchmark has several.
    for name in TASK_SETTINGS:
        if name not in records.columns or name in keys or name in but:
            continue
        within = [*dict.fromkeys([*keys, "benchmark"])]
        if records.select(*within, name).n_unique() > records.select(within).n_unique():
            keys.append(name)
    return keys[len(known) :]


def series_of(records: pl.DataFrame, by: Sequence[str] = (), but: Sequence[str] = ()) -> list[Series]:
    """Return the records of each model and setting, in order of appearance.

    Args:
        records: of any models.
        by: further fields that tell settings apart.
        but: settings to leave aside.
    """
    fields = [*by, *settings_that_differ(records, ["model", *by], but)]
    found = []
    for (model, *values), part in records.group_by(["model", *fields], maintain_order=True):
        settings = dict(zip(fields, values, strict=True))
        names = [model, *(setting_name(name, value) for name, value in settings.items())]
        found.append(Series(", ".join(names), str(model), settings, part))
    return found


def setting_name(name: str, value: Any) -> str:
    """Return a setting as labels have it; none is "no budget"."""
    field = name.replace("_", " ")
    if value is None:
        return f"no {field}"
    return f"{field} {value:g}" if isinstance(value, float) else f"{field} {value}"
