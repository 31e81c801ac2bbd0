"""Benchmarks: small loaders that all yield the same questions."""

from collections.abc import Callable

from hotmess_jax.llm.benchmarks import gpqa, mmlu, mwe
from hotmess_jax.llm.benchmarks.question import Loaded, Question, RowError
from hotmess_jax.llm.benchmarks.rows import Rows

LOADERS: dict[str, Callable[[str], Rows]] = {
    "mmlu": mmlu.rows,
    "gpqa": gpqa.rows,
    "mwe": mwe.rows,
}


def load(benchmark: str, data: str) -> Loaded:
    """Load a benchmark's questions.

    Args:
        benchmark: mmlu, gpqa or mwe.
        data: a file, a folder of files, or a hub's name for the data set.

    Returns:
        The questions in the data's order, each once, and the rows that are none, with file and line.

    Raises:
        ValueError: where nothing can be read.
    """
    questions: dict[str, tuple[str, Question]] = {}
    problems = []
    for where, make in LOADERS[benchmark](data):
        try:
            question = make()
        except RowError as error:
            problems.append(f"{where}: {error}")
            continue
        first = questions.setdefault(question.question_id, (where, question))[0]
        if first != where:
            problems.append(f"{where}: repeats the question at {first}")
    return Loaded([question for _, question in questions.values()], problems)
