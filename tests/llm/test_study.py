"""The report of all analyses, its figures, the survey, and the map of the paper's figures."""

import json
import re

import commands
import jax
import matplotlib.text
import numpy as np
import polars as pl
import pytest
from made_records import any_answers, two_answers, unit_tests
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from places import ROOT
from scipy import stats

from experiments import figures as paper_figures
from experiments import llm_report, survey
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.series import series_of, settings_that_differ
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.llm.report import report
from hotmess_jax.llm.sampling.embeddings import embeddings_path
from hotmess_jax.llm.study import StudySettings, study
from hotmess_jax.llm.study_document import from_document, to_document
from hotmess_jax.llm.study_figures import draw
from hotmess_jax.llm.survey import Ranking, Survey, analyse, correlate, read_survey
from hotmess_jax.statistics.estimate import Estimate, Interval

FEW = AnalysisSettings(resamples=20)
SOURCE = {"records": {"files": ["r.jsonl"], "where": []},
          "provenance": {"git_commit": "0", "versions": {"jax": "0", "python": "0"}}}  # fmt: skip


def settings(**more):
    return StudySettings(("kl", "brier"), FEW, groups=(4, 3), permutations=20, **more)


def study_of(records, vectors=None, **more):
    with jax.enable_x64(True):
        found = to_document(study(records, settings(**more), vectors))
    json.dumps(found, allow_nan=False)
    return found


def report_of(document, drawn=None):
    """Return the report of a document, as it is read back."""
    return report(from_document(document | SOURCE), drawn or {})


def everything(models=("small", "large"), questions=12, samples=8):
    """Return records with every field that an analysis needs."""
    parts = []
    for i, model in enumerate(models):
        random = np.random.default_rng(i)
        length = random.lognormal(4 + i, 0.5, (questions, samples)).round()
        part = two_answers(random.uniform(0.2, 0.8, questions), length, samples, random, model)
        number = pl.int_range(pl.len()) % samples
        parts.append(
            part.with_columns(
                context=number % 2,
                budget=pl.when(number < 4).then(pl.lit("low")).otherwise(pl.lit("high")),
                topic=pl.when(pl.col("question_id") < "q0005").then(pl.lit("law")).otherwise(
                    pl.lit("art")
                ),
                error_type=pl.lit("ok"),
                difficulty=pl.when(pl.col("question_id") < "q0003").then(pl.lit("easy")).otherwise(
                    pl.lit("hard (for anyone)")
                ),
                reasoning=pl.when((pl.col("sample") % 2 == 0) & (pl.col("question_id") < "q0006"))
                .then(pl.lit("wait a moment"))
                .otherwise(pl.lit("wait, wait")),
                output_tokens=pl.col("output_tokens").cast(pl.Int64),
            )
        )  # fmt: skip
    return pl.concat(parts)


def drawn_of(document):
    """Return the figures of a document, as it is read back, by file name."""
    return {
        name: figure for of in draw(from_document(document)).values() for name, figure in of.items()
    }


def rendered(found):
    """Draw every figure of a document, as it is read back, coarsely, and return their names."""
    of_results = draw(from_document(found))
    drawn = {name: figure for figures in of_results.values() for name, figure in figures.items()}
    assert len(drawn) == sum(map(len, of_results.values()))
    for figure in drawn.values():
        assert isinstance(figure, Figure)
        figure.set_dpi(40)
        FigureCanvasAgg(figure).draw()
    text = report_of(found, {name: list(figures) for name, figures in of_results.items()})
    assert all(f"figures/{name}.png" in text for name in drawn)
    assert "nan" not in text.replace("nano", "") and "None" not in text
    return set(drawn)


def test_every_analysis_is_in_the_report_where_its_fields_are():
    found = study_of(everything(), parameters={"small": 1e8, "large": 1e9})
    names = {name.removesuffix("_kl").removesuffix("_brier") for name in found["analyses"]}
    assert names == {
        "overall", "by_length", "overthinking", "by_topic", "by_budget", "wait_ratio", "ensembles",
        "efficiency", "sensitivity", "differences", "scaling", "surface", "length_correlation",
        "answer_changes", "format_failures", "one_question", "by_difficulty",
        "answer_changes_by_difficulty", "repeats",
    }  # fmt: skip
    # Four samples a question are too few for ensembles by KL.
    missing = {row["analysis"] for row in found["missing"]}
    assert missing == {"unit_tests", "open_answers", "ensembles_kl"}
    drawn = rendered(found)
    assert {"by_length_kl", "bias2_against_variance_kl", "by_budget_kl"} <= drawn
    assert {"scaling_brier_budget_low", "scaling_brier_budget_high"} <= drawn
    labels = ["small, budget low", "small, budget high", "large, budget low", "large, budget high"]
    assert [series["label"] for series in found["series"]] == labels
    analyses = found["analyses"]
    assert list(analyses["overthinking_kl"]) == list(analyses["ensembles_brier"]) == labels
    assert list(analyses["by_budget_kl"]) == list(analyses["format_failures"]) == ["small", "large"]
    # Pairs differ in the model or in the budget, not in both.
    assert len(analyses["differences_kl"]) == 4
    assert set(analyses["length_correlation"]) == {"all models, budget low", "all models, budget high"}


def of_study(records, label, name="overall_brier"):
    return study_of(records)["analyses"][name][label]


def test_settings_are_never_pooled():
    """Two temperatures that are each consistent, and differ: pooled they would look incoherent."""
    parts = []
    for temperature, answer in ((0.0, "A"), (1.0, "B")):
        part = two_answers(np.zeros(8), np.arange(8.0) + 1, 5, np.random.default_rng(0))
        parts.append(part.with_columns(temperature=pl.lit(temperature), answer=pl.lit(answer),
                                       sample=pl.col("sample") + int(5 * temperature)))  # fmt: skip
    records = pl.concat(parts)
    with jax.enable_x64(True):
        cold, hot = summarise(records, metrics=["brier"], resamples=20)
        by_topic = summarise(records.with_columns(topic=pl.lit("law")), ["topic"], ["brier"])
    assert (cold.by, hot.by) == ({"temperature": 0.0}, {"temperature": 1.0})
    assert by_topic[0].by == {"topic": "law", "temperature": 0.0}
    for group, error in ((cold, 0), (hot, 2)):
        found = group.metrics["brier"].plugin
        assert (found.error.value, found.variance.value) == (error, 0)
        assert found.incoherence.value == (None if error == 0 else 0)
        low, high = found.incoherence.ci95
        # Eight questions that are consistent are no proof that all are.
        assert (low, high) == (None, None) if error == 0 else low == 0 and 0.2 < high < 0.5
    found = study_of(records)
    overall = found["analyses"]["overall_brier"]
    assert list(overall) == ["m, temperature 0", "m, temperature 1"]
    assert all(of["plugin"]["variance"]["value"] == 0 for of in overall.values())
    (difference,) = found["analyses"]["differences_brier"].values()
    # One of the two has no error: 0/0, and no interval beside it.
    nothing = {"value": None, "ci95": [None, None], "p": None, "p_holm": None}
    assert difference["plugin"]["incoherence"] == nothing
    assert difference["plugin"]["error"]["value"] == -2
    rendered(found)


def test_what_tells_settings_apart_is_named_once_and_only_where_it_differs():
    random = np.random.default_rng(0)
    base = any_answers(np.full((2, 4), 0.25), 2, random)
    rows = [
        ("a", "low", "choice", "x@1", 0.5, "p"), ("a", "high", "choice", "x@1", 0.5, "q"),
        ("b", None, "probability", "y@1", 1.0, "p"), ("b", "low", "choice", "x@1", 1.0, "p"),
    ]  # fmt: skip
    names = ("model", "budget", "format", "prompt", "temperature", "top")
    records = pl.concat(
        [base.with_columns(**{n: pl.lit(v) if v is not None else pl.lit(None, pl.String)
                              for n, v in zip(names, row, strict=True)}) for row in rows]
    )  # fmt: skip
    labels = [series.label for series in series_of(records)]
    assert labels == ["a, budget low", "a, budget high", "b, no budget", "b, budget low"]
    assert [series.label for series in series_of(records, but=["budget"])] == [
        "a, format choice", "b, format probability", "b, format choice"
    ]  # fmt: skip
    assert settings_that_differ(records) == ["budget"]
    assert settings_that_differ(records.filter(pl.col("model") == "a"), but=["budget"]) == []
    more = pl.concat([records, records.with_columns(top=pl.lit("z"))])
    # What is no setting tells samples apart where it is asked to, and else they are one sample twice.
    with pytest.raises(ValueError, match="the same sample of the same question: top 'z' and 'p'"):
        series_of(more)
    assert len(series_of(records)) == 4 and len(series_of(more, by=["top"])) == 8
    assert series_of(more, by=["top"])[0].label == "a, top p, budget low"


def test_records_without_a_format_are_analysed_beside_those_with_one():
    random = np.random.default_rng(0)
    parts = [any_answers(np.full((6, 4), 0.25), 4, random).with_columns(format=pl.lit(f, pl.String))
             for f in (None, "choice", "open")]  # fmt: skip
    found = study_of(pl.concat(parts))["analyses"]["overall_brier"]
    assert list(found) == ["m, no format", "m, format choice"]
    assert all(of["samples"] == 24 for of in found.values())


def test_one_models_lengths_do_not_take_away_another_s():
    first, second = everything(("small",)), everything(("large",))
    budgets = [part.drop("budget") for part in (first, second)]
    records = pl.concat([
        budgets[0].with_columns(reasoning_tokens=pl.col("output_tokens") // 2),
        budgets[1].with_columns(reasoning_tokens=pl.lit(None, pl.Int64)),
    ])  # fmt: skip
    found = study_of(records, parameters={"small": 1e8, "large": 1e9})
    assert [series["length"] for series in found["series"]] == ["reasoning_tokens", "output_tokens"]
    fields = {name: of["field"] for name, of in found["analyses"]["by_length_brier"].items()}
    assert fields == {"small": "reasoning_tokens", "large": "output_tokens"}
    # What compares lengths takes one that both have.
    assert found["analyses"]["surface_brier"]["all models"]["field"] == "output_tokens"
    ((correlation,),) = found["analyses"]["length_correlation"].values()
    assert correlation["fields"] == ["output_tokens", "output_tokens"]
    assert {"scaling_brier", "surface_brier"} <= rendered(found)


def test_runs_of_agents_are_compared_by_their_actions():
    random = np.random.default_rng(0)
    records, _ = unit_tests(random.uniform(0, 1, (9, 4)), 6, random, random.uniform(5, 50, (9, 6)))
    tokens = records.with_columns(reasoning_tokens=pl.lit(random.integers(9, 99, 54)))
    found = study_of(tokens)["analyses"]["unit_tests_overthinking"]["m"]
    assert found == study_of(records)["analyses"]["unit_tests_overthinking"]["m"]
    assert found["field"] == "actions"
    other = study_of(tokens.drop("actions"))["analyses"]["unit_tests_overthinking"]["m"]
    assert other["field"] == "reasoning_tokens"


def test_contexts_are_told_in_the_table_and_where_they_cannot_be():
    found = study_of(everything(("one",)).drop("budget", "reasoning"))
    contexts = found["analyses"]["overall_brier"]["one"]["contexts"]
    assert contexts["questions"] == 12 and contexts["between"]["ci95"][0] is not None
    text = report_of(found)
    assert "| between contexts | within contexts |" in text and "one context" not in text
    alone = everything(("one",)).drop("budget", "reasoning").with_columns(context=pl.lit(0))
    text = report_of(study_of(alone))
    assert "12 of 12 questions have one context" in text and "between contexts |" not in text


def test_what_fields_do_not_allow_is_left_out_and_named():
    records = everything(("only",)).drop("output_tokens", "reasoning", "error_type")
    found = study_of(records)
    assert not any(name.startswith(("by_", "over", "wait")) and not name.startswith("overall")
                   for name in found["analyses"])  # fmt: skip
    why = {row["analysis"]: row["why"] for row in found["missing"]}
    for name, field in (("by_length_kl", "no record has a length"), ("overthinking_kl", "output_tokens"),
                        ("wait_ratio_kl", "reasoning"), ("scaling_kl", "--parameters"),
                        ("unit_tests", "tests"), ("open_answers", "vectors")):  # fmt: skip
        assert field in why[name], (name, why.get(name))
    found = study_of(everything(("only",)).drop("budget", "topic"))
    why = {row["analysis"]: row["why"] for row in found["missing"]}
    assert "topic" in why["by_topic_kl"] and "budgets" in why["by_budget_kl"]
    assert "## Left out" in report_of(found)
    rendered(found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["one question", "one model", "all correct", "all unparsed", "probs"])
def test_figures_render_where_there_is_little_to_show(kind):
    random = np.random.default_rng(0)
    records = everything(("one",), questions=8) if kind != "one question" else everything(questions=1)
    if kind == "all correct":
        records = records.with_columns(answer=pl.col("target"))
    if kind == "all unparsed":
        records = records.with_columns(answer=pl.lit(""))
    if kind == "probs":
        probs = random.dirichlet(np.ones(4), records.height)
        texts = [json.dumps(dict(zip("ABCD", row.tolist(), strict=True))) for row in probs]
        records = records.with_columns(answer=pl.lit(None, pl.String), probs=pl.Series(texts))
    sizes = {"one": 1e8, "small": 1e8, "large": 1e9}
    found = study_of(records, parameters={k: sizes[k] for k in records["model"].unique()})
    if kind == "all unparsed":  # no answer has a distribution
        assert rendered(found) == {"one_question"}
        why = {row["analysis"]: row["why"] for row in found["missing"]}
        names = [f"{name}_{metric}" for name in ("overall", "by_budget") for metric in ("kl", "brier")]
        assert all("answers could be read" in why[name] for name in [*names, "answer_changes"])
        return
    assert len(rendered(found)) >= 8
    if kind == "all correct":
        overall = found["analyses"]["overall_kl"]["one, budget low"]["plugin"]
        assert overall["error"]["value"] == 0 and overall["accuracy"]["value"] == 1
        assert overall["incoherence"] == {"value": None, "ci95": [None, None]}


def test_what_has_one_size_or_no_value_is_not_drawn_and_units_are_named():
    """KL of three samples: one size of ensembles, and no corrected value of few samples."""
    random = np.random.default_rng(0)
    records = any_answers(random.dirichlet(np.ones(4), 30), 10, random).with_columns(
        output_tokens=pl.Series(random.integers(10, 99, 300)), topic=pl.lit("law")
    )
    found = study_of(records)
    drawn = drawn_of(found)
    assert found["analyses"]["ensembles_kl"]["m"]["sizes"] == [1] and "ensembles_kl" not in drawn
    assert "ensembles_brier" in drawn
    rows = [t.get_text() for t in drawn["sensitivity_kl"].axes[0].get_yticklabels()]
    of = found["analyses"]["sensitivity_kl"]["m"]
    assert {"samples 3 at random", "samples 5 at random"} & set(rows) == set()
    assert len(rows) == sum(row["corrected"]["incoherence"]["value"] is not None for row in of) > 0
    plane = drawn["bias2_against_variance_kl"].axes[0]
    assert "nats" in plane.get_xlabel() and "nats" in plane.get_ylabel()
    assert drawn["by_topic_kl"].axes[0].get_xlabel() == "mean output tokens"
    text = report_of(found)
    assert "| mean output tokens |" in text


def inside(axes):
    """Whether the axes hold everything that was drawn on them in units of the data."""
    limits = axes.dataLim
    if not np.isfinite(limits.get_points()).all():
        return True
    lows = [limits.x0 if axes.get_xscale() == "linear" else limits.minposx,
            limits.y0 if axes.get_yscale() == "linear" else limits.minposy]  # fmt: skip
    (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    room = 1e-9
    return (left <= lows[0] + room and limits.x1 <= right + room
            and bottom <= lows[1] + room and limits.y1 <= top + room)  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("worse", ["one", "two"])
def test_axes_hold_every_point_and_bar_whichever_model_is_drawn_first(worse):
    records = everything(("one", "two"), questions=12)
    # The other is right nearly always: its numbers are small.
    better = (pl.col("model") != worse) & (pl.int_range(pl.len()) % 19 > 0)
    records = records.with_columns(answer=pl.when(better).then("target").otherwise("answer"))
    found = study_of(records, parameters={"one": 1e8, "two": 1e9})
    drawn = drawn_of(found)
    assert {"ensembles_brier", "efficiency_brier", "by_length_brier", "by_topic_brier"} <= set(drawn)
    for name, figure in drawn.items():
        figure.draw_without_rendering()
        cut = [i for i, axes in enumerate(figure.axes) if not inside(axes)]
        assert not cut, (name, cut)
        for axes in figure.axes:
            if "sample" in axes.get_xlabel().split(" a ")[0]:  # samples are counted
                assert all(tick == round(tick) for tick in axes.get_xticks()), name
        least = min(
            text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()
        )
        assert least * min(1, 8 / 2.54 / figure.get_figwidth()) >= 6, name


@pytest.mark.filterwarnings("error")
def test_unit_tests_and_open_answers():
    random = np.random.default_rng(0)
    records, _ = unit_tests(random.uniform(0, 1, (9, 4)), 6, random, random.uniform(5, 50, (9, 6)))
    drawn = rendered(study_of(records))
    assert {"unit_tests_by_actions", "unit_tests_overthinking"} <= drawn
    records = any_answers(np.full((9, 4), 0.25), 5, random, row=np.arange(45),
                          format=["open"] * 45, output_tokens=random.integers(5, 50, 45))  # fmt: skip
    found = study_of(records, random.normal(size=(45, 3)))
    assert rendered(found) == {"open_answers"}
    assert found["analyses"]["open_answers"]["m"]["questions"] == 9
    (curve,) = {tuple(found["analyses"]["open_answers"]["m"]["plugin"]["curves"][name]["value"])
                for name in ("bias2", "error", "incoherence", "accuracy")}  # fmt: skip
    assert set(curve) == {None}


# On the command line


def run(monkeypatch, capsys, module, *arguments):
    return commands.outcome(module, monkeypatch, capsys, *arguments)


def write(path, records):
    rows = [{k: v for k, v in row.items() if v is not None} for row in records.to_dicts()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_command_writes_report_numbers_and_figures(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "r.jsonl", everything())
    code, _, said = run(
        monkeypatch, capsys, llm_report, path, "--out", tmp_path / "out", "--metric", "brier",
        "--where", "budget=low", "--resamples", 20, "--permutations", 20, "--groups", 3, 4,
        "--parameters", "small=1e8", "large=1e9",
    )  # fmt: skip
    assert code == 0 and "report.md" in said and "figures" in said
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["samples"] == 2 * 12 * 4 and found["models"] == ["small", "large"]
    assert found["length"] == "output_tokens" and "provenance" in found
    text = (tmp_path / "out" / "report.md").read_text()
    shown = set(re.findall(r"\(figures/(\w+)\.png\)", text))
    assert shown == {p.stem for p in (tmp_path / "out" / "figures").glob("*.png")}
    assert {"by_length_brier", "scaling_brier"} <= shown


def test_budgets_without_lengths_end_in_a_report(tmp_path, monkeypatch, capsys):
    records = everything(("one",)).with_columns(
        output_tokens=pl.when(pl.col("budget") == "low").then("output_tokens")
    )
    path = write(tmp_path / "r.jsonl", records)
    arguments = (path, "--out", tmp_path / "out", "--metric", "brier", "--resamples", 20,
                 "--permutations", 20)  # fmt: skip
    assert run(monkeypatch, capsys, llm_report, *arguments)[0] == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = found["analyses"]["by_budget_brier"]["one"]
    assert [(row["budget"], row["mean_length"] is None) for row in rows] == [
        ("low", False),
        ("high", True),
    ]
    why = {(row["analysis"], row["model"]): row["why"] for row in found["missing"]}
    assert "no record has a length" in why["by_length_brier", "one, budget high"]
    assert "| one | high | – |" in (tmp_path / "out" / "report.md").read_text()


def test_vectors_beside_the_records_are_read(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    records = any_answers(np.full((6, 4), 0.25), 4, random, format=["open"] * 24,
                          output_tokens=random.integers(5, 50, 24))  # fmt: skip
    path = write(tmp_path / "r.jsonl", records)
    vectors = random.normal(size=(24, 3)).astype(np.float32)
    np.save(embeddings_path(path), vectors)
    arguments = (path, "--out", tmp_path / "out", "--resamples", 20)
    assert run(monkeypatch, capsys, llm_report, *arguments)[0] == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    of = found["analyses"]["open_answers"]["m"]["corrected"]["curves"]["variance"]["value"]
    expected = vectors.reshape(6, 4, 3).var(axis=1, ddof=1).sum(axis=1).mean()
    # By pairs of samples, not all of them.
    assert np.mean(of) == pytest.approx(expected, rel=0.25)
    np.save(embeddings_path(path), vectors[:-1])
    code, _, said = run(monkeypatch, capsys, llm_report, *arguments)
    assert code == 2 and "23" in said and "24" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--smoothing", "2"], "smoothing must be between 0 and 1, got 2.0"),
        (["--resamples", "1"], "resamples must be at least 10, got 1"),
        (["--groups", "1"], "groups must be at least 2, got (1,)"),
        (["--metric", "zero_one"], "metric must be kl or brier"),
        (["--parameters", "small"], "parameters must be NAME=VALUE, each name once, got 'small'"),
        (["--parameters", "small=big"], "parameters must be MODEL=NUMBER, got small=big"),
        (["--parameters", "small=-1"], "got small=-1"),
        (["--parameters", "tiny=1e8"], "no record is of the model 'tiny'"),
        (["--reference", "tiny"], "no record is of the model 'tiny'"),
        (["--where", "flavour=sweet"], "no record has a field 'flavour'"),
        (["--where", "sample=x"], "sample is never 'x'"),
        (["--where", "budget=none"], "no record has budget=none"),
        (["--length", "pages"], "no record has a field 'pages'"),
        (["--length", "topic"], "topic"),
        (["--by", "mood"], "no record has a field 'mood' to tell settings apart"),
        (["--ensembles", "1"], "ensembles must be at least 2, got 1"),
    ],
)
def test_bad_input_gets_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "r.jsonl", everything())
    code, _, error = run(monkeypatch, capsys, llm_report, path, "--out", tmp_path / "out", *arguments)
    assert code == 2 and said in error and len(error.strip().splitlines()) == 1, error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "r.jsonl", everything())
    code, _, error = run(monkeypatch, capsys, llm_report, path, "--out", path)
    assert code == 2 and "r.jsonl" in error and len(error.strip().splitlines()) == 1


# The survey


def rankings(slope, seed, raters=15):
    """Return rows of a survey whose true incoherence is `slope` × intelligence, plus noise."""
    random = np.random.default_rng(seed)
    entities = [(f"{kind}{i}", kind) for kind in ("animal", "model", "human") for i in range(6)]
    true = random.normal(size=len(entities))
    values = {"intelligence": true, "coherence": -slope * true + 0.1 * random.normal(size=true.shape)}
    rows = []
    for question, value in values.items():
        for rater in range(raters):
            order = np.argsort(-(value + 0.5 * random.normal(size=value.shape)))
            rows += [(f"{question}{rater}", question, *entities[e], rank + 1)
                     for rank, e in enumerate(order)]  # fmt: skip
    return rows


def write_csv(path, rows, header="rater,question,entity,category,rank"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_a_planted_correlation_is_found_with_its_sign(tmp_path):
    for slope in (1, -1):
        found = analyse(read_survey(write_csv(tmp_path / "s.csv", rankings(slope, 0))), 200, 0)
        rho = found.correlations["all"].rho
        assert slope * rho.value > 0.8 and slope * min(rho.ci95, key=abs) > 0.5
        assert set(found.correlations) == {"all", "animal", "model", "human"}


def rated(seed, rho, entities, raters, noise):
    """Return mean ranks by simulated raters, and the true values' reliabilities are left to them."""
    random = np.random.default_rng(seed)
    cov = [[1, rho], [rho, 1]]
    true = random.multivariate_normal([0, 0], cov, entities).T
    rankings = []
    for sign, question, value in ((1, "intelligence", true[0]), (-1, "coherence", true[1])):
        for rater in range(raters):
            order = np.argsort(-sign * (value + noise * random.normal(size=entities)))
            names = tuple(f"e{e:02}" for e in order)
            rankings.append(Ranking(f"{question}{rater}", question, names))
    return Survey(rankings, {f"e{e:02}": "" for e in range(entities)})


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "noise"), [(0.0, 1.0), (0.6, 2.0)])
def test_the_survey_s_intervals_cover_and_its_test_keeps_its_level(rho, noise):
    true = 6 / np.pi * np.arcsin(rho / 2)
    runs, covered, rejected = 60, 0, 0
    for seed in range(runs):
        found = analyse(rated(seed, rho, 24, 10, noise), 99, seed).correlations["all"]
        ends = found.corrected.ci95
        covered += ends.low <= true <= ends.high
        rejected += found.p <= 0.05
        assert found.rho.ci95.low <= found.rho.value <= found.rho.ci95.high
    assert covered >= stats.binom.ppf(1e-3, runs, 0.95)
    if not rho:
        assert rejected <= stats.binom.ppf(1 - 1e-3, runs, 0.05)


def test_the_survey_s_correlation_is_scipy_s_and_corrected_by_known_reliabilities():
    x, y = np.random.default_rng(0).normal(size=(2, 30)).round(1)
    y = y + x
    found = correlate(x, y, [0.81, 1.0], 199, np.random.default_rng(0))
    assert found.rho.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.corrected.value == pytest.approx(found.rho.value / 0.9)
    assert found.p == pytest.approx(1 / 200)
    unknown = correlate(x, y, [0.81, -0.1], 199, np.random.default_rng(0))
    assert unknown.corrected == Estimate(None, Interval(None, None))


def test_mean_ranks_and_standard_errors_are_those_of_a_plain_loop(tmp_path):
    rows = rankings(0, 3, raters=5)
    found = analyse(read_survey(write_csv(tmp_path / "s.csv", rows)), 50, 0)
    for row in found.entities:
        for name, question in (("intelligence", "intelligence"), ("incoherence", "coherence")):
            given = [(rank - 0.5) / 18 for _, q, entity, _, rank in rows
                     if q == question and entity == row.entity]  # fmt: skip
            shares = np.asarray(given) if question == "coherence" else 1 - np.asarray(given)
            assert getattr(row, name).mean == pytest.approx(shares.mean())
            assert getattr(row, name).standard_error == pytest.approx(stats.sem(shares))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", "speed", "cat", "", 1)], "question must be intelligence or coherence, got 'speed'"),
        ([("a", "coherence", "cat", "", 0)], "rank must be a number from 1 on, got '0'"),
        (
            [("a", "coherence", "cat", "", 1), ("a", "intelligence", "cat", "", 1)],
            "raters must be disj",
        ),
        ([("a", "coherence", "cat", "", 1), ("a", "coherence", "dog", "", 1)], "twice"),
        ([("a", "coherence", "cat", "", 2)], "not 1 to 1"),
        ([("a", "coherence", "", "", 1)], "must not be empty"),
        ([("a", "coherence", "cat", "x", 1), ("b", "coherence", "cat", "y", 1)], "'y' here and 'x'"),
        ([("a", "coherence", "cat", "", 1)], "intelligence has 0 raters"),
    ],
)
def test_a_bad_survey_is_refused_by_line(rows, said, tmp_path, monkeypatch, capsys):
    code, _, error = run(monkeypatch, capsys, survey, write_csv(tmp_path / "s.csv", rows))
    assert code == 2 and said in error


def test_the_survey_command_prints_and_draws(tmp_path, monkeypatch, capsys):
    path = write_csv(tmp_path / "s.csv", rankings(1, 0))
    code, out, _ = run(monkeypatch, capsys, survey, path, "--out", tmp_path / "o", "--permutations", 50)
    assert code == 0 and "Spearman" in out and "animal0" in out
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"survey.json", "survey.png", "survey.pdf"}
    code, _, error = run(monkeypatch, capsys, survey, tmp_path / "none.csv")
    assert code == 2 and "none.csv cannot be read" in error
    code, _, error = run(monkeypatch, capsys, survey, write_csv(tmp_path / "h.csv", [], "a,b"))
    assert code == 2 and "needs the columns" in error


def test_the_readme_carries_the_map_of_figures(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, paper_figures, "--list")
    assert code == 0 and out.strip() in (ROOT / "README.md").read_text()
    assert run(monkeypatch, capsys, paper_figures)[0] == 2


def test_the_report_compares_conditions_that_number_their_samples_alike(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    rows = [
        {"model": "m", "question_id": f"q{q}", "sample": i, "hint": hint, "options": ["A", "B"], "target": "A",
         "answer": "A" if random.random() < right else "B"}
        for q in range(12) for hint, right in (("none", 0.8), ("wrong", 0.4)) for i in range(4)
    ]  # fmt: skip
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [
        "--metric",
        "brier",
        "--compare",
        "hint",
        "--baseline",
        "none",
        "--out",
        tmp_path / "out",
    ]
    code, _, error = commands.outcome(llm_report, monkeypatch, capsys, path, *arguments)
    assert code == 0, error
    text = (tmp_path / "out" / "report.md").read_text()
    assert "wrong" in text and "hint none" in text
