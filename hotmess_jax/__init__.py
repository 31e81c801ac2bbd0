"""Bias, variance and incoherence of models that err (Hägele et al. 2026, arXiv 2601.23045).

The synthetic study: `SweepConfig` and `Sweep` carry it out; its parts are `Quadratic` and `random_quadratic`,
`Teacher`, `FloatCodec`, `Decoder`, `Trainer` and `ModelRollout`. Language models: `read_records` or any frame of
records, `summarise`, `study` with `StudySettings` and `AnalysisSettings`. Both: `Estimate`, `Interval`, `power_law`.
The decompositions themselves are in the package `kernels`.

Each name is imported when it is first used: the synthetic study needs nothing of the language-model half's packages.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotmess_jax.llm.cases import StudySettings
    from hotmess_jax.llm.measures.questions import AnalysisSettings
    from hotmess_jax.llm.measures.summary import summarise
    from hotmess_jax.llm.records import read_records
    from hotmess_jax.llm.study import study
    from hotmess_jax.statistics.estimate import Estimate, Interval
    from hotmess_jax.statistics.fits import power_law
    from hotmess_jax.synthetic.codec import FloatCodec
    from hotmess_jax.synthetic.model import Decoder
    from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
    from hotmess_jax.synthetic.rollout import ModelRollout
    from hotmess_jax.synthetic.study.settings import SweepConfig
    from hotmess_jax.synthetic.study.sweep import Sweep
    from hotmess_jax.synthetic.teacher import Teacher
    from hotmess_jax.synthetic.train import Trainer

__all__ = [
    "AnalysisSettings",
    "Decoder",
    "Estimate",
    "FloatCodec",
    "Interval",
    "ModelRollout",
    "Quadratic",
    "StudySettings",
    "Sweep",
    "SweepConfig",
    "Teacher",
    "Trainer",
    "power_law",
    "random_quadratic",
    "read_records",
    "study",
    "summarise",
]

_PLACES = {
    "llm.cases": ("StudySettings",),
    "llm.measures.questions": ("AnalysisSettings",),
    "llm.measures.summary": ("summarise",),
    "llm.records": ("read_records",),
    "llm.study": ("study",),
    "statistics.estimate": ("Estimate", "Interval"),
    "statistics.fits": ("power_law",),
    "synthetic.codec": ("FloatCodec",),
    "synthetic.model": ("Decoder",),
    "synthetic.quadratic": ("Quadratic", "random_quadratic"),
    "synthetic.rollout": ("ModelRollout",),
    "synthetic.study.settings": ("SweepConfig",),
    "synthetic.study.sweep": ("Sweep",),
    "synthetic.teacher": ("Teacher",),
    "synthetic.train": ("Trainer",),
}
_MODULES = {name: f"hotmess_jax.{module}" for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'hotmess_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
