"""Turn other harnesses' logs into records: python -m experiments.llm_import inspect LOGS … --out FILE.

The records (see hotmess_jax/llm/records.py) are for `python -m experiments.incoherence` and
`python -m experiments.llm_report`. What was read is held against the log's own figures: where they part,
or something could not be read, the exit status is 1.
"""

import json
import sys
from pathlib import Path

from rich.console import Console

from hotmess_jax.llm.importers.commands import Command, Table, read
from hotmess_jax.llm.importers.telling import (
    document,
    print_comparison,
    print_looks,
    print_summary,
    print_unread,
)
from hotmess_jax.llm.origins import RECONCILED, write_reconciled
from hotmess_jax.llm.sampling.record_file import beside
from hotmess_jax.machine.files import write_json, written_whole
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    failing_on,
    parse_any,
    try_outputs,
)


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read the logs, write the records, say what could not be read."""
    config = parse_any(Command)
    console = Console()
    if isinstance(config, Table) and not (config.columns or config.map or config.out):
        with failing_on(ValueError):
            return print_looks(config.files, config.rows, console)
    if config.out is None:
        fail("where the records go is not said: --out FILE")
    for path in (config.out, beside(config.out, RECONCILED)):
        if path.exists() and not config.overwrite:
            fail(f"{path} exists; --overwrite replaces it")
    try_outputs([config.out, None if config.json in (None, "-") else Path(config.json)])
    with failing_on(ValueError):
        imported = read(config)
    told = Console(stderr=True) if config.json == "-" else console
    print_unread(imported, told)
    if not imported.records:
        fail("nothing could be imported")
    with written_whole(config.out) as aside, aside.open("w", encoding="utf-8") as stream:
        for record in imported.records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    write_reconciled(config.out, document(imported))
    if config.json == "-":
        json.dump(document(imported), sys.stdout, indent=1, allow_nan=False)
        print()
    elif config.json is not None:
        write_json(Path(config.json), document(imported))
    print_summary(imported, config.out, told)
    print_comparison(imported, told)
    if imported.unread or imported.parted:
        sys.exit(1)


if __name__ == "__main__":
    main()
