"""A sweep from its beginning to its written outputs."""

from hotmess_jax.machine.processes import is_first
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.notes import notes_of
from hotmess_jax.synthetic.results import fields_of
from hotmess_jax.synthetic.study.outputs import conclude, write_outputs
from hotmess_jax.synthetic.study.sweep import Sweep
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep


def carry_out(sweep: Sweep) -> ConcludedSweep:
    """Carry a sweep out, write its outputs, and return what sweep.json holds.

    Of several processes, the first alone fits and writes.
    """
    results = sweep.carry_out()
    if not is_first():
        none = Found(rises=None)
        return ConcludedSweep(**fields_of(results), found=none, notes=notes_of(results, none))
    concluded = conclude(results)
    folder = sweep.config.folder
    write_outputs(concluded, folder, folder)
    return concluded
