"""The catalogue of analyses: light, whole, and the one place that knows of an analysis."""

import subprocess
import sys
import types

import numpy as np
import polars as pl
import pytest
from made_records import two_answers
from matplotlib.figure import Figure
from places import ROOT

from experiments.figures import FIGURES, REPORT
from hotmess_jax.llm.analyses import catalogue
from hotmess_jax.llm.analyses.catalogue import CATALOGUE, Analysis
from hotmess_jax.llm.cases import StudySettings, figure_of, module_of
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.report import report
from hotmess_jax.llm.study import study
from hotmess_jax.llm.study_document import from_document, to_document
from hotmess_jax.llm.study_figures import draw

SOURCE = {"records": {"files": ["r.jsonl"], "where": []},
          "provenance": {"git_commit": "0", "versions": {"jax": "0", "python": "0"}}}  # fmt: skip
HEAVY = {"polars", "numpy", "matplotlib", "jax", "scipy"}


def imported_by(program):
    """Return which heavy packages a program imports, in a process of its own."""
    said = f"import sys\n{program}\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return eval(found.stdout)


def test_the_catalogue_imports_nothing_heavy_and_the_map_of_figures_nothing_of_an_extra():
    assert imported_by("import hotmess_jax.llm.analyses.catalogue") == []
    found = imported_by("import experiments.figures as f; f.figures_table()")
    assert not {"polars", "matplotlib"} & set(found)


def test_computing_and_telling_need_no_matplotlib():
    names = ", ".join(f"hotmess_jax.llm.analyses.{analysis.name}" for analysis in CATALOGUE)
    assert "matplotlib" not in imported_by(
        f"import {names}, hotmess_jax.llm.study, hotmess_jax.llm.report"
    )


@pytest.mark.parametrize("analysis", CATALOGUE, ids=lambda analysis: analysis.name)
def test_each_analysis_is_a_module_that_computes_and_tells(analysis):
    module = module_of(analysis)
    assert callable(module.compute) and callable(module.tell) and module.__doc__
    figure = figure_of(analysis)
    assert (figure is not None) == analysis.drawn and (figure is None or callable(figure.draw))
    if analysis.after is not None:
        before = catalogue.named(analysis.after)
        assert CATALOGUE.index(before) < CATALOGUE.index(analysis)
        assert (before.on, before.by_metric) == (analysis.on, analysis.by_metric)


def test_every_module_of_the_folder_is_in_the_catalogue():
    folder = ROOT / "hotmess_jax" / "llm" / "analyses"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "catalogue"}
    expected = {analysis.name for analysis in CATALOGUE}
    assert modules == expected | {f"{analysis.name}_figure" for analysis in CATALOGUE if analysis.drawn}
    assert len(expected) == len(CATALOGUE)


def test_every_figure_of_the_paper_that_a_report_shows_is_some_analysis():
    rows = {figure: shown for figure, _, command, shown, _ in FIGURES if command == REPORT}
    assert all(rows.values())
    assert {of for analysis in CATALOGUE for of, _ in analysis.paper} == set(rows)


def test_what_an_analysis_needs_is_something_that_can_be_said_to_be_missing():
    with pytest.raises(ValueError, match="new: nothing says why without 'colour' it is left out"):
        Analysis("new", "New", "choices", needs=("colour",))
    with pytest.raises(ValueError, match="no analysis is called 'overal'"):
        catalogue.named("overal")


def test_an_analysis_is_added_by_a_module_and_a_line(monkeypatch):
    """Nothing else knows of it: not the study, not the report, not the figures, not the document."""
    made = types.ModuleType("hotmess_jax.llm.analyses.longest")
    made.compute = lambda case: {
        "longest": case.records[case.length].max(),
        "metric": case.analysis.metric,
    }
    made.tell = lambda results: f"Longest: {[result['longest'] for result in results.values()]}."
    drawn = types.ModuleType("hotmess_jax.llm.analyses.longest_figure")
    drawn.draw = lambda name, results, metric: {name: Figure(label=f"{metric} of {', '.join(results)}")}
    for module in (made, drawn):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    line = Analysis("longest", "The longest sample", "choices", by_metric=True, needs=("length",))
    monkeypatch.setattr(catalogue, "CATALOGUE", (line,))
    random = np.random.default_rng(0)
    records = two_answers(np.full(3, 0.5), np.arange(3.0) + 1, 2, random)
    without = records.with_columns(output_tokens=pl.lit(None, pl.Int64), model=pl.lit("n"))
    settings = StudySettings(("kl", "brier"), AnalysisSettings(resamples=20))
    document = to_document(study(pl.concat([records, without], how="vertical_relaxed"), settings))
    assert document["analyses"] == {
        f"longest_{metric}": {"m": {"longest": 3.0, "metric": metric}} for metric in ("kl", "brier")
    }
    assert [(row["analysis"], row["model"], row["why"][:23]) for row in document["missing"]] == [
        ("longest_kl", "n", "no record has a length:"), ("longest_brier", "n", "no record has a length:")
    ]  # fmt: skip
    read = from_document(document | SOURCE)
    figures = {
        name: {file: figure.get_label() for file, figure in of.items()}
        for name, of in draw(read).items()
    }
    assert figures == {
        f"longest_{metric}": {f"longest_{metric}": f"{metric} of m"} for metric in ("kl", "brier")
    }
    text = report(read, {"longest_kl": ["longest_kl"]})
    assert (
        "## The longest sample, kl\n\nLongest: [3.0].\n\n![longest_kl](figures/longest_kl.png)" in text
    )
