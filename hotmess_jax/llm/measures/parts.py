"""An error, its parts, incoherence and accuracy with their intervals: of all questions, of a half, along a curve."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from hotmess_jax.statistics.estimate import Estimate, Estimates, estimate_of, estimates_of


@dataclass(frozen=True, slots=True)
class Parts:
    """Means over questions, and the share of the error that is variance; what is not known has no value."""

    error: Estimate
    bias2: Estimate
    variance: Estimate
    accuracy: Estimate
    incoherence: Estimate


@dataclass(frozen=True, slots=True)
class Curves:
    """The same of groups of questions, in the order of a field."""

    error: Estimates
    bias2: Estimates
    variance: Estimates
    accuracy: Estimates
    incoherence: Estimates
    # The field's means, which have no intervals.
    along: Estimates


Kind = TypeVar("Kind", bound=Parts)


def parts_from(values: Mapping[str, Any], ends: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Return numbers and the ends of their intervals by name as parts."""
    names = [field.name for field in fields(kind)]
    return kind(**{name: estimate_of(float(values[name]), ends[name]) for name in names})


def curves_from(values: Mapping[str, Any], ends: Mapping[str, Any]) -> Curves:
    """Return arrays `[groups]` and the ends of their intervals `[2, groups]` by name as curves."""
    names = [field.name for field in fields(Curves)]
    return Curves(**{name: estimates_of(values[name], ends[name]) for name in names})
