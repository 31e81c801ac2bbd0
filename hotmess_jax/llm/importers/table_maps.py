"""Which column is what in the tables that other harnesses write.

What a map does not say is to be given with it: mostly `--set model=NAME`, since these files do not name the
model, and the options where a file has only their labels. The layouts are of the versions named here; where
a harness has changed a name since, the error says which columns there are, and `--columns` replaces one.
"""

from collections.abc import Mapping

from hotmess_jax.llm.importers.table import TableMap

MAPS: Mapping[str, TableMap] = {
    # details_TASK_TIME.parquet of `--save-details` (0.10 and later), tasks that compare the options'
    # log-likelihoods. Its metrics are named by task, such as `--score __metric__.acc`.
    "lighteval": TableMap(
        columns={
            "question_id": "__doc__.id",
            "benchmark": "__doc__.task_name",
            "target": "__doc__.gold_index",
            "logprobs": "__model_response__.logprobs",
        },
        options=("__doc__.choices",),
        targets="numbers-from-0",
    ),
    # The same file of tasks that generate: each response is a sample and is read for the letter that it
    # finally states.
    "lighteval-generated": TableMap(
        columns={
            "question_id": "__doc__.id",
            "benchmark": "__doc__.task_name",
            "target": "__doc__.gold_index",
            "text": "__model_response__.text",
        },
        options=("__doc__.choices",),
        targets="numbers-from-0",
        explode=("__model_response__.text",),
        parse_text=True,
    ),
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
