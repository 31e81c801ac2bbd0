"""Every analysis of a table of records that its fields allow."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import Any

import numpy as np
import polars as pl

from hotmess_jax.llm.analyses import catalogue
from hotmess_jax.llm.analyses.catalogue import Analysis
from hotmess_jax.llm.cases import Case, Key, StudySettings, is_choice, module_of
from hotmess_jax.llm.measures.clusters import count_in, with_clusters
from hotmess_jax.llm.measures.comparing import value_named
from hotmess_jax.llm.measures.decomposing import Metric
from hotmess_jax.llm.measures.groups import length_field
from hotmess_jax.llm.measures.questions import to_json
from hotmess_jax.llm.measures.samples import QUESTION, to_samples
from hotmess_jax.llm.measures.series import as_given, check_fields, field_of, series_of, setting_name
from hotmess_jax.llm.measures.successes import MEANING, SHARES, is_of_successes, with_successes
from kernels.names import nearest

__all__ = ["Missing", "SeriesName", "Study", "StudySettings", "study"]

NO_OPTIONS = "no record has a choice among options: they are open answers, unit tests or outcomes alone"


@dataclass(frozen=True)
class SeriesName:
    """One model at one setting."""

    label: str
    model: str
    settings: dict[str, Any]
    # The field that its lengths are read from.
    length: str | None
    # How many clusters of questions it has; None where no field says.
    clusters: int | None = None


@dataclass(frozen=True)
class Missing:
    """An analysis that was not done."""

    # As in report.json, metric and field in it.
    analysis: str
    # The label of what it would have been of.
    model: str
    why: str


@dataclass(frozen=True)
class Study:
    """What was found, and why other things were not."""

    models: tuple[str, ...]
    series: tuple[SeriesName, ...]
    questions: int
    samples: int
    # What outcomes that are no choice mean.
    meanings: tuple[str, ...]
    length: str | None
    settings: dict[str, Any]
    # In the catalogue's order, one metric after the other.
    results: Mapping[Key, Any]
    missing: tuple[Missing, ...]
    # Where the records are from, and what made the study.
    records: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None

    def sections(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Yield the results of one analysis, metric and field by label, with the first one's key."""
        by_name: dict[str, tuple[Key, dict[str, Any]]] = {}
        for key, result in self.results.items():
            by_name.setdefault(key.name, (key, {}))[1][key.label] = result
        yield from by_name.values()


def study(
    records: pl.DataFrame,
    settings: StudySettings,
    vectors: np.ndarray | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Study:
    """Run every analysis that the records' fields allow, of each model at each setting on its own.

    A label is the model's name, and the settings that tell it from others, such as "gpt, budget low"; what
    compares models compares those of one setting.

    Args:
        records: from `read_records`; with `row`, each record's row in `vectors`, where there are any.
        settings: of the study.
        vectors: embeddings of open answers, NaN where there is none.
        say: called with what is being done.

    Raises:
        ValueError: for a model, a numeric field of lengths or a field in `by` that no record has.
    """
    settings = _checked(records, settings)
    records = as_given(records, settings.by)
    if settings.analysis.cluster is not None:
        check_fields(records, [settings.analysis.cluster], " to cluster by")
    if settings.length is not None:
        field_of(records, settings.length)
    models = records["model"].unique(maintain_order=True).to_list()
    for name in (*filter(None, [settings.reference]), *(settings.parameters or {})):
        if name not in models:
            raise ValueError(f"no record is of the model {name!r}{nearest(name, models)}")
    run = _Run(records, settings, vectors, say)
    for by_metric, group in groupby(catalogue.CATALOGUE, key=lambda analysis: analysis.by_metric):
        analyses = list(group)
        for metric in settings.metrics if by_metric else [None]:
            run.all_of(analyses, metric)
    series = run.cases["series"]
    meanings = [MEANING] if is_of_successes(run.others) else []
    lengths = list(dict.fromkeys(case.length for case in series if case.length))
    return Study(
        tuple(models),
        tuple(_named(case) for case in series),
        records.select(QUESTION).n_unique(),
        records.height,
        (*meanings, *([SHARES] if run.cases["shares"] else [])),
        lengths[0] if lengths else None,
        _settings_json(settings),
        run.results,
        tuple(run.missing),
    )


def _named(case: Case) -> SeriesName:
    clusters = _clusters(case.records, case.analysis.cluster)
    return SeriesName(case.label, case.model, dict(case.settings_of), case.length, clusters)


def _clusters(records: pl.DataFrame, field: str | None) -> int | None:
    """Return how many clusters of questions records have; None where no field says."""
    if field is None or records[field].null_count() == records.height:
        return None
    return count_in(with_clusters(records.select(QUESTION).unique(maintain_order=True), records, field))


def _checked(records: pl.DataFrame, settings: StudySettings) -> StudySettings:
    """Return the settings, with the field that is compared among those that tell settings apart."""
    if settings.compare is not None:
        value_named(records, settings.compare, settings.baseline or "none")
        if settings.compare not in ("model", *settings.by):
            settings = replace(settings, by=[*settings.by, settings.compare])
    check_fields(records, settings.by, " to tell settings apart")
    return settings


def _settings_json(settings: StudySettings) -> dict[str, Any]:
    aside = ("metric", "kl_samples")
    analysis = {name: value for name, value in vars(settings.analysis).items() if name not in aside}
    return to_json({
        **analysis, "metrics": list(settings.metrics), "groups": list(settings.groups),
        "permutations": settings.permutations, "parameters": dict(settings.parameters or {}),
        "ensembles": settings.ensembles, "by": list(settings.by),
        "compare": settings.compare, "baseline": settings.baseline,
    })  # fmt: skip


class _Run:
    """Runs analyses on what they are declared to be of, and keeps results and why others are missing."""

    def __init__(
        self,
        records: pl.DataFrame,
        settings: StudySettings,
        vectors: np.ndarray | None,
        say: Callable[[str], None],
    ) -> None:
        self.results: dict[Key, Any] = {}
        self.missing: list[Missing] = []
        self.settings, self.say = settings, say
        self.others, shares = with_successes(records)
        series = list(_cases(self.others, settings, vectors))
        self.cases = {
            "series": series,
            "choices": [_with_samples(case) for case in _choices(series)],
            "budgets": _choices(_cases(self.others, settings, None, but=["budget"])),
            "shares": list(_cases(shares, settings, None)),
        }
        chosen = {case.label for case in self.cases["choices"]}
        for case in series:
            if case.label not in chosen:
                self.leave_out("overall", case.label, NO_OPTIONS)
        samples = [case.samples for case in self.cases["choices"]]
        # KL is compared at equal numbers of samples, those of all series.
        self.least = min((of.least for of in samples if of is not None and of.blocks), default=None)

    def leave_out(self, name: str, label: str, why: str) -> None:
        """Note an analysis that is not done."""
        self.missing.append(Missing(name, label, why))

    def all_of(self, analyses: Sequence[Analysis], metric: Metric | None) -> None:
        """Run some analyses of one metric, or of none."""
        settings = self.settings
        if metric is not None:
            of_metric = replace(settings.analysis, metric=metric, kl_samples=self.least)
            settings = replace(settings, analysis=of_metric)
        cases = {
            on: [replace(case, settings=settings, note=self._note(case.label)) for case in of]
            for on, of in self.cases.items()
        }
        readable = [
            case for case in cases["choices"] if case.samples is not None and case.samples.blocks
        ]
        cases["pairs"] = list(_pairs(readable, settings))
        cases["settings"] = list(_of_settings(readable, settings))
        for analysis in analyses:
            for case in cases[analysis.on]:
                for field in analysis.fields or (None,):
                    self.one(analysis, metric, field, case)
            self._together(analysis, metric)

    def one(self, analysis: Analysis, metric: Metric | None, field: str | None, case: Case) -> None:
        """Run one analysis of one case; where its fields are missing, say which."""
        if analysis.after and Key(analysis.after, metric, None, case.label) not in self.results:
            return
        along = case.length if field == "length" else field
        key = Key(analysis.name, metric, along, case.label)
        why = case.lacks([*analysis.needs, *filter(None, [field])])
        if why is not None:
            self.leave_out(key.name, case.label, why)
            return
        self.say(f"{case.label}: {key.name}")
        try:
            result = module_of(analysis).compute(case if along is None else replace(case, field=along))
        except ValueError as error:
            self.leave_out(key.name, case.label, str(error))
            return
        if result is not None:
            self.results[key] = result

    def _note(self, label: str) -> Callable[[str, str], None]:
        return lambda name, why: self.leave_out(name, label, why)

    def _together(self, analysis: Analysis, metric: Metric | None) -> None:
        """Let what is told of all results of one name change them."""
        module = module_of(analysis)
        keys = [key for key in self.results if (key.analysis, key.metric) == (analysis.name, metric)]
        if keys and hasattr(module, "together"):
            kept = module.together([self.results[key] for key in keys])
            self.results.update(zip(keys, kept, strict=True))


def _cases(
    records: pl.DataFrame, settings: StudySettings, vectors: np.ndarray | None, but: Sequence[str] = ()
) -> Iterator[Case]:
    """Yield the records of each model and setting."""
    for series in series_of(records, settings.by, but) if records.height else []:
        length = settings.length or length_field(series.records)
        if length is not None and not series.records[length].dtype.is_numeric():
            raise ValueError(f"{length} cannot be a length: it holds {series.records[length].dtype}")
        yield Case(
            series.label,
            series.model,
            series.settings,
            series.records,
            length,
            settings,
            vectors=vectors,
        )


def _choices(cases: Iterable[Case]) -> list[Case]:
    """Return the cases' records with a choice among options; those without any are left out."""
    chosen = [replace(case, records=case.records.filter(is_choice(case.records))) for case in cases]
    return [case for case in chosen if case.records.height]


def _with_samples(case: Case) -> Case:
    return replace(case, samples=to_samples(case.records, case.analysis.unparsed))


def _pairs(cases: Sequence[Case], settings: StudySettings) -> Iterator[Case]:
    """Yield two series each that differ in one thing: all pairs, or each with the baseline of the field."""
    for first, second in combinations(cases, 2):
        values = [{"model": case.model, **case.settings_of} for case in (first, second)]
        apart = [name for name in values[0] if values[0][name] != values[1][name]]
        if len(apart) != 1:
            continue
        if settings.compare is not None:
            both = [of.get(settings.compare) for of in values]
            try:
                baseline = value_named(
                    pl.concat([first.records, second.records]),
                    settings.compare,
                    settings.baseline or "none",
                )
            except ValueError:
                continue
            if apart != [settings.compare] or baseline not in both:
                continue
            if both[0] == baseline:
                first, second = second, first
        yield _of_several(f"{first.label} − {second.label}", (first, second), settings)


def _of_settings(cases: Sequence[Case], settings: StudySettings) -> Iterator[Case]:
    """Yield all models of each setting."""
    by_setting: dict[str, list[Case]] = {}
    for case in cases:
        names = (setting_name(name, value) for name, value in case.settings_of.items())
        by_setting.setdefault(", ".join(["all models", *names]), []).append(case)
    for label, parts in by_setting.items():
        yield _of_several(label, tuple(parts), settings)


def _of_several(label: str, parts: tuple[Case, ...], settings: StudySettings) -> Case:
    nothing = parts[0].records.clear()
    return Case(label, "", {}, nothing, None, settings, parts=parts, note=parts[0].note)
