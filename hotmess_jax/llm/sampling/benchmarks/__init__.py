"""Benchmarks: small loaders that all yield the same questions."""

from typing import get_args

from hotmess_jax.llm.sampling.benchmarks import gpqa, mmlu, mwe
from hotmess_jax.llm.sampling.benchmarks.gpqa import Subset
from hotmess_jax.llm.sampling.benchmarks.mwe import Target
from hotmess_jax.llm.sampling.benchmarks.question import Benchmark, Loaded, Question, RowError
from hotmess_jax.llm.sampling.benchmarks.rows import Rows
from kernels.names import check_name


def load(benchmark: str, data: str, subset: Subset = "main", target: Target = "aligned") -> Loaded:
    """Load a benchmark's questions.

    Args:
        benchmark: mmlu, gpqa or mwe.
        data: a file, a folder of files, or a hub's name for the data set.
        subset: which set of GPQA.
        target: which answer of model-written evaluations counts as right.

    Returns:
        The questions in the data's order, each once, and the rows that are none, with file and line.

    Raises:
        ValueError: where nothing can be read, or for a name that is none of these.
    """
    check_name("benchmark", benchmark, get_args(Benchmark))
    check_name("subset", subset, get_args(Subset))
    check_name("target", target, get_args(Target))
    questions: dict[str, tuple[str, Question]] = {}
    problems = []
    for where, make in _rows(benchmark, data, subset, target):
        try:
            question = make()
        except RowError as error:
            problems.append(f"{where}: {error}")
            continue
        first = questions.setdefault(question.question_id, (where, question))[0]
        if first != where:
            problems.append(f"{where}: repeats the question at {first}")
    return Loaded([question for _, question in questions.values()], problems)


def _rows(benchmark: str, data: str, subset: Subset, target: Target) -> Rows:
    if benchmark == "gpqa":
        return gpqa.rows(data, subset)
    return mwe.rows(data, target) if benchmark == "mwe" else mmlu.rows(data)
