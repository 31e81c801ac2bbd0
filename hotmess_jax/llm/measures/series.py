"""What a study is of: one model at one setting, since settings change what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hotmess_jax.llm.records import SETTINGS, TASK_SETTINGS, Checked, checked, frame
from kernels.names import nearest


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
    aside = {*known, *but}
    several = [
        name
        for name in (*SETTINGS, *TASK_SETTINGS)
        if name in records.columns and name not in aside and records[name].n_unique() > 1
    ]
    for name in SETTINGS:
        if name not in several:
            continue
        if records.select(*keys, name).n_unique() > records.select(keys).n_unique():
            keys.append(name)
    # Tasks of one run may have their own of these: what counts is whether one benchmark has several.
    for name in TASK_SETTINGS:
        if name not in several:
            continue
        within = [*dict.fromkeys([*keys, "benchmark"])]
        if records.select(*within, name).n_unique() > records.select(within).n_unique():
            keys.append(name)
    return keys[len(known) :]


def as_given(records: pl.DataFrame, apart: Sequence[str] = ()) -> pl.DataFrame:
    """Return records as `records.checked` does, in the order they were given in."""
    found = checked(records, apart)
    return found.table[np.argsort(found.row)]


def one_series(records: pl.DataFrame, but: Sequence[str] = ()) -> Checked:
    """Return the records of one model at one setting, as `records.checked` does.

    Args:
        records: as `read_records` gives them.
        but: settings that may differ.

    Raises:
        ValueError: where they are of several models or settings, and for what `checked` refuses.
    """
    found = checked(records)
    models = found.table["model"].unique().sort().to_list()
    if len(models) > 1:
        named = " and ".join(map(repr, models[:5]))
        raise ValueError(f"records are of {len(models)} models, {named}: only one is taken at a time")
    if differ := settings_that_differ(found.table, but=but):
        values = found.table[differ[0]].unique(maintain_order=True).to_list()[:5]
        raise ValueError(
            f"records are of several settings, {differ[0]} {' and '.join(map(repr, values))}: only one is "
            "taken at a time (series_of tells them apart)"
        )
    return found


def field_of(table: pl.DataFrame, name: str, what: str = "") -> pl.Series:
    """Return a numeric field.

    Args:
        table: of records, or of questions.
        name: of the field.
        what: it is for, as the message ends.

    Raises:
        ValueError: where there is none, or it holds no numbers.
    """
    check_field(table, name, what)
    if not table[name].dtype.is_numeric() and table[name].dtype != pl.Boolean:
        raise ValueError(f"{name} cannot be a length: it holds {table[name].dtype}")
    return table[name]


def check_field(table: pl.DataFrame, name: str, what: str = "") -> None:
    """Check that a field is there.

    Raises:
        ValueError: where it is not, or is null everywhere; with the nearest name.
    """
    columns = frame(table).columns
    if name not in columns or table[name].null_count() == table.height:
        known = [column for column in columns if table[column].null_count() < table.height]
        near = "" if name in columns else nearest(name, known)
        raise ValueError(f"no record has a field {name!r}{what}{near}")


def check_fields(table: pl.DataFrame, names: Sequence[str], what: str = "") -> None:
    """Check that several fields are there, as `check_field` does.

    Raises:
        ValueError: also where a text stands for a sequence of names.
    """
    if isinstance(names, str):
        raise ValueError(f"by must be a sequence of fields, got the text {names!r}: ({names!r},)")
    for name in names:
        check_field(table, name, what)


def series_of(records: pl.DataFrame, by: Sequence[str] = (), but: Sequence[str] = ()) -> list[Series]:
    """Return the records of each model and setting, in order of appearance.

    Args:
        records: of any models.
        by: further fields that tell settings apart.
        but: settings to leave aside.

    Raises:
        ValueError: for a field that no record has, and for what `records.checked` refuses.
    """
    check_fields(records, by, " to tell settings apart")
    records = as_given(records, by)
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
