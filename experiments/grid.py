"""Many sweeps: python -m experiments.grid --vary seed=0,1 condition-number=10,50 --out FOLDER.

Every combination of the values is a synthetic_sweep in a folder of its own (--design product). With
--design one-at-a-time the first sweep is the base, in the folder `base`, and each value of each setting is
a sweep that differs from it in that alone:

  --vary teacher=newton,sign rollout-start-distribution=normal+rollout-start-scale=3

is a base and three sweeps, the last of which differs in two settings. It ends with the table and the figure
of all of them: choices.md, .json, .png and .pdf (see experiments.choices). Where the seed varies, what
differs in the seed alone is pooled at the end (see experiments.scaling_laws).

Stopped at any moment, the same command goes on where it was. With --launcher ray the sweeps spread over a
Ray cluster whose machines share the folders; what a lost machine was doing is taken up by another, from its
last checkpoint.
"""

from rich.console import Console

from hotmess_jax.presentation.command_line import (
    GOES_ON,
    ending_in_one_line,
    failing_on,
    failing_to_write,
    parse,
    try_outputs,
)
from hotmess_jax.presentation.limits import check_limits
from hotmess_jax.presentation.lines import say
from hotmess_jax.synthetic.study.choices_files import TableError, check_place
from hotmess_jax.synthetic.study.folder import check_folder
from hotmess_jax.synthetic.study.grid import (
    GridConfig,
    but_for_seeds,
    check_pool_s_place,
    failed_models,
    is_there,
    planned,
    pools,
)
from hotmess_jax.synthetic.study.grid_run import carry_out_all, say_failed, sum_up


@ending_in_one_line(GOES_ON)
def main() -> None:
    """Parse the command line, check every sweep, carry all of them out, and sum them up."""
    config = parse(GridConfig)
    with failing_on(ValueError):
        check_limits(config)
    sweeps, console = planned(config), Console()
    with failing_on(ValueError), failing_to_write():
        for sweep in sweeps:
            check_folder(sweep.config)
    there = {sweep.name: found for sweep in sweeps if (found := is_there(sweep)) is not None}
    for name in pools(sweeps):
        check_pool_s_place(config.out / name)
    tabled = config.design == "one-at-a-time" or len(but_for_seeds(sweeps)) > 1
    if tabled:
        with failing_on(TableError):
            check_place(config.out / "choices.md")
    if there:
        say(console, f"{len(there)} of {len(sweeps)} are there already")
    failures = [failed_models(found) for found in there.values()]
    for name, failed in zip(there, failures, strict=True):
        say_failed(console, name, failed)
    try_outputs(folders=[config.out, config.store])
    done_well = carry_out_all(config, sweeps, there, console)
    sum_up(config, sweeps, tabled, console)
    if not done_well or any(failures):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
