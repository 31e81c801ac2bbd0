"""Which column of a table is what: maps, and those of the tables that other harnesses write.

What a harness' map does not say is to be given with it: mostly `--set model=NAME`, since these files do not name the
model, and the options where a file has only their labels. The layouts are of the versions named here; where
a harness has changed a name since, the error says which columns there are, and `--columns` replaces one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hotmess_jax.llm.importers.table_answers import Reading


@dataclass(frozen=True, kw_only=True)
class RowReading:
    """How a table's rows are read: what a map of it and a command line both say."""

    options: tuple[str, ...] = ()
    """All labels, such as A B C D; or the one column that has labels or the options' texts."""

    explode: tuple[str, ...] = ()
    """Columns that hold a list of samples each."""

    rows: str | None = None
    """Where in a JSON document the rows are, such as results.rows."""

    score: str | None = None
    """The column with the table's own score, right or wrong, that the records are held against."""

    targets: Reading | None = None
    """What the targets are; None is what all of them can be."""

    answers: Reading | None = None
    """What the answers are; None is what targets are, else letters, else texts."""

    parse_text: bool = False
    """Read the answer from what the column of `text` finally states."""


@dataclass(frozen=True, kw_only=True)
class TableMap(RowReading):
    """Which column of a table is what, and how its rows are read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """A record's field → a column, as a dotted path; `a|b` is the first of them that the file has, and what
    ends in `|` it may lack."""

    constants: Mapping[str, str] = field(default_factory=dict)
    """A record's field → what it is of all rows."""

    def over(self, other: "TableMap") -> "TableMap":
        """Return this map where it says something, and another where it does not."""
        said = {name: value for name, value in vars(self).items() if value}
        both = {
            name: {**getattr(other, name), **getattr(self, name)} for name in ("columns", "constants")
        }
        # A field is a column or a constant, as was said last.
        for name, opposite in (("columns", "constants"), ("constants", "columns")):
            both[name] = {
                key: value
                for key, value in both[name].items()
                if key in getattr(self, name) or key not in getattr(self, opposite)
            }
        return replace(other, **said | both)


# details_TASK_TIME.parquet of `--save-details` (0.10 and later).
_LIGHTEVAL = TableMap(
    columns={
        "question_id": "__doc__.id",
        "benchmark": "__doc__.task_name",
        "target": "__doc__.gold_index",
    },
    options=("__doc__.choices",),
    targets="numbers-from-0",
)
MAPS: Mapping[str, TableMap] = {
    # Tasks that compare the options' log-likelihoods. Its metrics are named by task, such as
    # `--score __metric__.acc`.
    "lighteval": TableMap(columns={"logprobs": "__model_response__.logprobs"}).over(_LIGHTEVAL),
    # The same file of tasks that generate: each response is a sample and is read for the letter that it
    # finally states.
    "lighteval-generated": TableMap(
        columns={"text": "__model_response__.text"},
        explode=("__model_response__.text",),
        parse_text=True,
    ).over(_LIGHTEVAL),
    # reviews/MODEL/DATASET.jsonl (1.0 and later), multiple choice of up to four options (`--options` says
    # others). Repeats of a question share their group_id. Where a benchmark's score is not called acc,
    # `--score sample_score.score.value.NAME`.
    "evalscope": TableMap(
        columns={
            "question_id": "sample_score.group_id|index",
            "answer": "sample_score.score.extracted_prediction",
            "target": "target",
            "text": "sample_score.score.prediction|",
        },
        options=("A", "B", "C", "D"),
        score="sample_score.score.value.acc|",
    ),
    # results/MODEL/DATASET.json of `--dump-eval-details`, of generating tasks, or the same rows as JSON
    # lines. Not sure: which name a row has there for its place in JSON lines.
    "opencompass": TableMap(
        columns={
            "question_id": "key|index|idx|id",
            "answer": "predictions|pred",
            "target": "references|answer|gold",
            "text": "origin_prediction|prediction|",
        },
        options=("A", "B", "C", "D"),
        rows="details",
        score="correct|",
    ),
    # *_allresults.json of HealthBench, whose rows are the examples' own metadata, with a graded score that
    # may be below 0: such rows are left out and counted. Its other evaluations write no score of each
    # example, but for pages of HTML.
    "simple-evals": TableMap(
        columns={"question_id": "prompt_id", "outcome": "score", "text": "completion|"},
        rows="metadata.example_level_metadata",
    ),
    # `promptfoo eval --output FILE.json` or FILE.jsonl; the CSV has a column a provider, named by it. A test
    # is what its variables are, since repeats (`--repeat`) have numbers of their own. Not sure: promptIdx in
    # versions before 0.100.
    "promptfoo": TableMap(
        columns={
            "question_id": "vars",
            "model": "provider.id|provider",
            "prompt": "promptIdx|promptId|prompt.label|",
            "outcome": "success",
            "text": "response.output|",
            "output_tokens": "response.tokenUsage.completion|",
            "promptfoo_score": "score|",
        },
        rows="results.results",
    ),
}
