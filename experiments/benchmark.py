"""Speed: python -m experiments.benchmark train|rollout|sweep|data|metrics.

Training and rollouts beside the machine's own rate of matrix products; the loader beside training; the
metric kernels beside NumPy. With --json one JSON line a measurement, else a table.
"""

import json
from typing import Annotated

import jax
import tyro

from hotmess_jax.llm.metrics_speed import MetricsBenchmark, metrics_speed
from hotmess_jax.machine.sharding import use_every_core
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    failing_on,
    parse_any,
    try_outputs,
)
from hotmess_jax.presentation.limits import check_limits
from hotmess_jax.synthetic.study.speed_settings import Data, Models, Rollout, Sweep, Train
from hotmess_jax.synthetic.study.speed_tables import (
    check,
    data_row,
    model_rows,
    show,
    show_paper_hours,
)

Part = Train | Rollout | Sweep | Data | Annotated[MetricsBenchmark, tyro.conf.subcommand("metrics")]


@ending_in_one_line()
def main() -> None:
    """Parse the command line, measure, print."""
    config = parse_any(Part)
    with failing_on(ValueError):
        check_limits(config)
    if isinstance(config, MetricsBenchmark):
        with failing_on(ImportError), jax.enable_x64(True):
            print(json.dumps(metrics_speed(config)))
        return
    use_every_core()
    with failing_on(ValueError):
        check(config)
    if isinstance(config, Data):
        try_outputs(folders=[config.folder])
        config.folder.mkdir(parents=True, exist_ok=True)
        show([data_row(config)], config.json)
    else:
        measure_models(config)


def measure_models(config: Models) -> None:
    """Measure models of each size, and print each as it is measured, or all in the end."""
    rows = []
    for row in model_rows(config):
        rows.append(row)
        if config.json:
            show([row], True)
    if not config.json:
        show(rows, False)
    if isinstance(config, Sweep):
        show_paper_hours(config, rows)


if __name__ == "__main__":
    main()
