"""Every setting's limits and names: an illegal value made from each is refused by one form of message."""

import dataclasses
import math
import re
from typing import Annotated, Literal

import pytest

from experiments.benchmark import MetricsBenchmark, Models
from experiments.coverage import CoverageConfig
from experiments.incoherence import IncoherenceConfig
from experiments.llm_report import ReportConfig
from experiments.llm_sample import LlmSampleConfig
from experiments.survey import SurveyConfig
from hotmess_jax.llm.sampling.asks import SamplingSettings
from hotmess_jax.presentation.limits import Limits, check_limits, limited
from hotmess_jax.synthetic.study.settings import PRESETS, SweepConfig

KINDS = [SweepConfig, Models, MetricsBenchmark, CoverageConfig, IncoherenceConfig, ReportConfig, LlmSampleConfig,
         SurveyConfig, SamplingSettings]  # fmt: skip


def made(kind, **changes):
    """Settings at their defaults but for changes, past the checks of types that tests make; None has no limits."""
    settings = object.__new__(kind)
    for field in dataclasses.fields(kind):
        default = None if field.default is dataclasses.MISSING else field.default
        object.__setattr__(settings, field.name, changes.get(field.name, default))
    return settings


def illegal(limits, names):
    """Values beyond each end, and none at all."""
    if names:
        yield names[0] + "x"
    if limits is not None:
        yield from (
            math.nan,
            math.inf,
            limits.low if limits.above else math.nextafter(limits.low, -math.inf),
        )
        if limits.high < math.inf:
            yield limits.high if limits.below else math.nextafter(limits.high, math.inf)


CASES = [
    (kind, name, limits, value)
    for kind in KINDS
    for name, limits, names in limited(kind)
    for value in illegal(limits, names)
]


def test_there_are_many_cases_and_the_sweep_s_numbers_are_all_limited():
    assert len(CASES) > 200
    numbers = {
        f.name for f in dataclasses.fields(SweepConfig) if re.search(r"\b(int|float)\b", str(f.type))
    }
    assert numbers == {name for name, limits, _ in limited(SweepConfig) if limits is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_legal(kind):
    check_limits(made(kind))


def test_presets_are_legal():
    for preset in PRESETS.values():
        preset.validate()


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_beyond_a_limit_is_refused_by_name_and_value(kind):
    for of, name, _, value in CASES:
        if of is not kind:
            continue
        default = getattr(made(kind), name)
        given = (value,) if isinstance(default, tuple) else value
        with pytest.raises(ValueError, match=f"^{name.replace('_', '-')} must be ") as error:
            check_limits(made(kind, **{name: given}))
        assert str(value) in str(error.value)


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "said"),
    [
        (Limits(1, 64), (1, 64), (0, 65), "1 to 64"),
        (Limits(2), (2, 1e300), (1, math.inf), "at least 2"),
        (Limits(0, above=True, unit="s"), (1e-300,), (0, -1), "above 0 s"),
        (Limits(0, 1, above=True), (0.5, 1), (0, 1.5), "above 0 and at most 1"),
        (Limits(0, 1, above=True, below=True), (0.5,), (0, 1), "between 0 and 1"),
    ],
)
def test_limits_hold_what_they_say(limits, inside, outside, said):
    assert all(map(limits.hold, inside)) and not any(map(limits.hold, outside))
    assert not limits.hold(math.nan) and str(limits) == said


def test_none_passes_and_each_item_of_a_tuple_is_checked():
    @dataclasses.dataclass
    class Settings:
        depth: Annotated[int | None, Limits(1, 3)] = None
        groups: tuple[Annotated[int, Limits(2)], ...] = ()
        kind: Literal["a", "b"] | None = None

    check_limits(Settings())
    check_limits(Settings(3, (2, 5), "b"))
    with pytest.raises(ValueError, match=r"groups must be at least 2, got \(5, 1\)"):
        check_limits(Settings(groups=(5, 1)))
    with pytest.raises(ValueError, match="kind must be one of a, b, got 'c'"):
        check_limits(Settings(kind="c"))
