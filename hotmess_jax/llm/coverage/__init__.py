"""Simulations of known truth of everything that is printed of language models' samples.

Each module of this package holds its own as `SIMULATIONS`.
"""

import importlib
import pkgutil
from collections.abc import Sequence

from hotmess_jax.statistics.coverage import Simulation


def simulations() -> dict[str, Simulation]:
    """Return all simulations by name, in the order of the modules' names and theirs within.

    Raises:
        ValueError: where two have one name.
    """
    found: dict[str, Simulation] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for simulation in importlib.import_module(f"{__name__}.{module}").SIMULATIONS:
            if simulation.name in found:
                raise ValueError(f"two simulations are called {simulation.name!r}")
            found[simulation.name] = simulation
    return found


def simulations_named(names: Sequence[str]) -> list[Simulation]:
    """Return the simulations of these names, each once, in their order; all where there are no names.

    Raises:
        ValueError: for a name of none.
    """
    known = simulations()
    for name in names:
        if name not in known:
            raise ValueError(f"no simulation is called {name!r}: there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] or [*known.values()]
