"""A sweep from its beginning to its written outputs."""

from hotmess_jax.machine.processes import is_first
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.study.outputs import conclude, examples_of, write_outputs
from hotmess_jax.synthetic.study.sweep import Sweep


def carry_out(sweep: Sweep) -> Json:
    """Carry a sweep out, write its outputs, and return what sweep.json holds.

    Of several processes, the first alone fits and writes.
    """
    document = sweep.carry_out()
    if not is_first():
        return document | {"fits": {}, "claims": [], "worse_than_chance": []}
    document = conclude(document)
    folder = sweep.config.folder
    write_outputs(document, folder, examples_of(document, folder))
    return document
