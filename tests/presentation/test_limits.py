"""Every setting's limits and names: an illegal value made from each is refused by one form of message."""

import dataclasses
import math
import re
from typing import Annotated, Literal

import pytest

from experiments.coverage import CoverageConfig
from experiments.incoherence import IncoherenceConfig
from experiments.survey import SurveyConfig
from hotmess_jax.llm.metrics_speed import MetricsBenchmark
from hotmess_jax.llm.report_settings import ReportConfig
from hotmess_jax.llm.sampling.asks import SamplingSettings
from hotmess_jax.llm.sampling.run_settings import LlmSampleConfig
from hotmess_jax.presentation.command_line import parse
from hotmess_jax.presentation.limits import Limits, check_limits, limited
from hotmess_jax.synthetic.study.grid import GridConfig
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.speed_settings import Models

GROUPS = [type(value) for value in vars(SweepConfig()).values() if dataclasses.is_dataclass(value)]
KINDS = [SweepConfig, *GROUPS, Models, MetricsBenchmark, CoverageConfig, IncoherenceConfig, ReportConfig,
         LlmSampleConfig, SurveyConfig, SamplingSettings, GridConfig]  # fmt: skip


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
    fields = [field for kind in (SweepConfig, *GROUPS) for field in dataclasses.fields(kind)]
    numbers = {field.name for field in fields if re.search(r"\b(int|float)\b", str(field.type))}
    every = [limit for kind in (SweepConfig, *GROUPS) for limit in limited(kind)]
    assert numbers == {name for name, limits, _ in every if limits is not None}


def test_a_sweep_s_settings_have_names_of_their_own_whichever_group_they_stand_in():
    names = [field.name for kind in GROUPS for field in dataclasses.fields(kind)]
    assert len(GROUPS) == 7 and len(names) == len(set(names)) > 40
    assert set(SweepConfig().flat()) == {"preset", "seed", *names}


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
        message = f"^{name.replace('_', '-')} must be "
        with pytest.raises(ValueError, match=message) as error:
            check_limits(made(kind, **{name: given}))
        assert str(value) in str(error.value)
        if kind in GROUPS:  # the whole is refused as well
            group = next(f.name for f in dataclasses.fields(SweepConfig) if f.type is kind)
            with pytest.raises(ValueError, match=message):
                check_limits(made(SweepConfig, **{group: made(kind, **{name: given})}))


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "said"),
    [
        (Limits(1, 64), (1, 64), (0, 65), "1 to 64"),
        (Limits(2), (2, 1e300), (1, math.inf), "at least 2"),
        (Limits(0, 2**32 - 1), (2**32 - 1,), (2**32,), "0 to 4,294,967,295"),
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


@dataclasses.dataclass(frozen=True)
class Inner:
    """How deep."""

    depth: Annotated[int | None, Limits(1, 3)] = None
    """Steps down."""
    share: Annotated[float, Limits(0, 1, above=True)] = 0.5
    """Of all."""


@dataclasses.dataclass(frozen=True)
class Outer:
    """Settings, one group of them."""

    needed: Annotated[int, Limits(2)]
    """No default."""
    inner: Inner = Inner()
    name: str = "x"
    """Free."""


def test_flags_have_no_group_and_help_says_each_setting_s_limits(capsys):
    assert parse(Outer, ["--needed", "2", "--depth", "3"]) == Outer(2, Inner(3))
    assert parse(Outer, ["--share", "0.1"], Outer(5, Inner(2))) == Outer(5, Inner(2, 0.1))
    with pytest.raises(SystemExit):
        parse(Outer, ["--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Steps down. (1 to 3; default: None)" in said
    assert "Of all. (above 0 and at most 1; default: 0.5)" in said
    assert "No default. (at least 2) (required)" in said
    assert "Free. (default: x)" in said and "How deep." in said
