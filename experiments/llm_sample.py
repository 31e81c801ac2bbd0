"""Sample a language model many times a question: python -m experiments.llm_sample --benchmark mwe …

Writes one record a sample (see hotmess_jax/llm/records.py), for `python -m experiments.incoherence`.
Stopped at any moment, the same command asks only for what is missing (Hägele et al. 2026, arXiv
2601.23045, Appendix B.1 and B.2).
"""

import sys

from rich.console import Console

from hotmess_jax.llm.sampling.embeddings import TextsRefusedError
from hotmess_jax.llm.sampling.failures import EndpointError, RequestFailedError
from hotmess_jax.llm.sampling.plan import plan
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.run_settings import (
    NO_ENGINE_ARGUMENTS,
    NO_EXTRA_BODY,
    LlmSampleConfig,
    check,
    json_object,
)
from hotmess_jax.llm.sampling.runs import load_questions, sample_missing
from hotmess_jax.llm.sampling.telling import print_plan
from hotmess_jax.presentation.command_line import (
    GOES_ON,
    ending_in_one_line,
    failing_on,
    parse,
)


@ending_in_one_line(GOES_ON)
def main() -> None:
    """Parse the command line, load the questions, sample."""
    config = parse(LlmSampleConfig)
    console = Console(stderr=True)
    with failing_on(ValueError, EndpointError, RequestFailedError, TextsRefusedError):
        check(config)
        extra_body = json_object("extra_body", config.extra_body, NO_EXTRA_BODY)
        engine_arguments = json_object("engine_arguments", config.engine_arguments, NO_ENGINE_ARGUMENTS)
        questions = load_questions(config, console)
        file = RecordFile(config.out)
        if config.dry_run:
            file.read_present()
            limit, offline = config.samples_per_request, config.vllm_offline
            print_plan(config, plan(config, questions, file, limit, offline))
            return
        counts = sample_missing(config, questions, file, extra_body, engine_arguments, console)
    if counts.failed:
        print(
            f"error: {counts.failed} samples failed, with their reasons in {file.failures_path}; "
            "the same command asks for them again",
            file=sys.stderr,
        )
        raise SystemExit(1)


if __name__ == "__main__":
    main()
