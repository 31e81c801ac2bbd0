"""The report of a study of records, in Markdown: each analysis' section by its own module."""

from collections.abc import Mapping, Sequence

from hotmess_jax.documents import from_json
from hotmess_jax.llm.analyses.catalogue import named
from hotmess_jax.llm.cases import Key, module_of
from hotmess_jax.llm.origins import Origin
from hotmess_jax.llm.origins_report import origins_section
from hotmess_jax.llm.repeat_tables import clusters_note
from hotmess_jax.llm.study import Missing, SeriesName, Study
from hotmess_jax.presentation.tables import table

CAVEAT = (
    "Incoherence is the share of the error that is inconsistent. It measures neither misalignment nor "
    "quality: a model that is always wrong in the same way has none. Plug-in values grow with the number "
    "of samples. Brier's corrected values do not, at any number, and lead. KL is the paper's measure, and "
    "nothing is unbiased for it: its plug-in values are of equal numbers of samples, and its corrected ones "
    "are given only where they were right of data sets drawn from these very answers. Error, bias² and variance "
    "are better lower (Brier's are 0 to 2, KL's in nats, those of unit tests 0 to 1), accuracy is better higher, "
    "and of incoherence neither end is better."
)


def report(study: Study, drawn: Mapping[str, Sequence[str]]) -> str:
    """Return a study's report.

    Args:
        study: with where its records are from, and what made it.
        drawn: file names of the figures beside it, by the name of the results they are of.
    """
    lines = _head(study)
    for key, results in study.sections():
        lines += [f"## {_title(key)}", module_of(named(key.analysis)).tell(results)]
        lines += [f"![{figure}](figures/{figure}.png)" for figure in drawn.get(key.name, ())]
    if study.missing:
        lines += ["## Left out", _missing(study.missing)]
    return "\n\n".join(lines) + "\n"


def _head(study: Study) -> list[str]:
    """Return what stands before the sections."""
    settings, source = study.settings, study.records
    assert source is not None and study.provenance is not None
    over = "the questions" if settings.get("cluster") is None else "whole clusters of questions"
    versions = study.provenance["versions"]
    where = f" where {' and '.join(source['where'])}" if source["where"] else ""
    lines = [
        "# " + ", ".join(study.models),
        f"`{', '.join(source['files'])}`{where}. Made by `experiments.llm_report` at "
        f"{study.provenance['git_commit']}, JAX {versions['jax']}, Python {versions['python']}.",
        f"{study.samples:,} samples of {study.questions:,} questions. Unparsed answers: "
        f"{settings['unparsed']}; smoothing {settings['smoothing']:g}; 95 % intervals over "
        f"{over}; seed {settings['seed']}. " + _lengths(study.series),
        *_clusters(study),
        CAVEAT,
        *study.meanings,
    ]
    if origins := source.get("origins"):
        lines.append(origins_section(from_json(tuple[Origin, ...], origins)))
    if any(series.settings for series in study.series):
        lines.append(
            "Samples of different settings are not pooled: each row is of one model at one setting."
        )
    return lines


def _title(key: Key) -> str:
    """Return a section's title: what the results are of, and by which metric or along which field."""
    title = named(key.analysis).title
    by = " " if title.endswith("against") else ", "
    more = " ".join(filter(None, [key.metric, key.field])).replace("_", " ")
    return f"{title}{by}{more}" if more else title


def _clusters(study: Study) -> list[str]:
    """Say over how many clusters of questions intervals are; nothing where they are over questions."""
    field = study.settings.get("cluster")
    if field is None:
        return []
    numbers = [
        (series.label, series.clusters) for series in study.series if series.clusters is not None
    ]
    return [f"{label}: {clusters_note(field, number)}" for label, number in numbers]


def _lengths(series: Sequence[SeriesName]) -> str:
    """Say what lengths are, of each series where they differ."""
    known = {each.label: each.length for each in series}
    if not any(known.values()):
        return "Lengths are not known."
    if len(set(known.values())) == 1:
        return f"Lengths are `{next(iter(known.values()))}`."
    told = (f"{(length and f'`{length}`') or 'not known'} ({label})" for label, length in known.items())
    return f"Lengths are {', '.join(told)}."


def _missing(missing: Sequence[Missing]) -> str:
    models: dict[tuple[str, str], dict[str, None]] = {}
    for row in missing:
        models.setdefault((row.analysis, row.why), {})[row.model] = None
    rows = [[analysis, ", ".join(names), why] for (analysis, why), names in models.items()]
    return table(["analysis", "model", "why"], rows)
