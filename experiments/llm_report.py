"""Every analysis of records of samples: python -m experiments.llm_report RECORDS.jsonl … --out DIR.

Writes report.md, report.json and figures; what the records' fields do not allow is left out, and named
(Hägele et al. 2026, arXiv 2601.23045, Sections 3.1 to 3.3 and Appendix C).
"""

from dataclasses import replace

from rich.console import Console

from hotmess_jax.documents import to_json
from hotmess_jax.llm.origins import Origin, origins_of
from hotmess_jax.llm.records import RecordErrors
from hotmess_jax.llm.report import report
from hotmess_jax.llm.report_settings import ReportConfig, read, settings_of
from hotmess_jax.llm.study import study
from hotmess_jax.llm.study_document import to_document
from hotmess_jax.llm.study_figures import draw
from hotmess_jax.machine.files import write_json, write_text
from hotmess_jax.machine.provenance import provenance
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    fail_lines,
    parse,
    try_outputs,
)


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read, analyse, write."""
    config = parse(ReportConfig)
    console = Console(stderr=True)
    try:
        settings = settings_of(config)
        try_outputs(folders=[config.out])
        records, vectors = read(config)
        origins = origins_of(config.records)
        with console.status("analysing") as status:
            made = study(records, settings, vectors, lambda text: status.update(f"analysing {text}"))
    except RecordErrors as error:
        fail_lines(str(error).splitlines())
    except ValueError as error:
        fail(str(error))
    source = {
        "files": [path.name for path in config.records],
        "where": list(config.where),
        "origins": [to_json(Origin, origin) for origin in origins],
    }
    made = replace(made, records=source, provenance=provenance())
    drawn = draw(made)
    figures = {name: figure for of_results in drawn.values() for name, figure in of_results.items()}
    for name, figure in figures.items():
        plotting.save(figure, config.out / "figures" / name)
    write_json(config.out / "report.json", to_document(made))
    write_text(config.out / "report.md", report(made, {name: list(of) for name, of in drawn.items()}))
    said = f"{len(figures)} figures, {len(made.missing)} analyses left out"
    console.print(f"{config.out / 'report.md'}, {said}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
