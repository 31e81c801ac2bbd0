"""A sweep's results gathered from what its runs left."""

import json
from dataclasses import replace
from pathlib import Path

from hotmess_jax.documents import from_json, to_json
from hotmess_jax.machine.files import DamagedFileError, read_sealed, write_sealed
from hotmess_jax.machine.processes import from_first
from hotmess_jax.machine.threads import in_threads
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.results import (
    FailedModel,
    ModelResult,
    ProblemResult,
    Provenance,
    RunProvenance,
    SweepResults,
    fields_of,
)
from hotmess_jax.synthetic.study.folder import Run, own_name, read_as, read_paths, read_result, runs_of
from hotmess_jax.synthetic.study.measure import measure_ends, measure_problem
from hotmess_jax.synthetic.study.problems import Drawn
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.sweep_document import VERSION
from hotmess_jax.synthetic.study.trajectories import Trajectories

Problems = tuple[ProblemResult, ...]


class Assembly:
    """Gathers what a sweep's runs left in its folder; draws of the problem are measured on the way."""

    def __init__(
        self,
        config: SweepConfig,
        codec: FloatCodec,
        draws: list[Drawn],
        trajectories: Trajectories,
        progress: SweepProgress,
    ) -> None:
        self._config, self._codec, self._draws = config, codec, draws
        self._trajectories, self._progress = trajectories, progress

    def results(self, provenance: Provenance, seconds: float, anything: bool) -> SweepResults:
        """Return the results.

        Args:
            provenance: of this process.
            seconds: that it took.
            anything: whether anything was measured; if not, the results keep the provenance it had.
        """
        config = self._config
        # As JSON values, which is what processes tell one another.
        problems = from_json(Problems, from_first(lambda: to_json(Problems, self._problems())))
        results = [self._result(run) for run in runs_of(config)]
        before = None if anything else _earlier_provenance(config.folder)
        own = replace(provenance, seconds=round(seconds, 3))
        return SweepResults(
            schema=VERSION,
            config=json.loads(json.dumps(config.identity())),
            provenance=RunProvenance(**fields_of(before or own), report=provenance.git_commit),
            problems=problems,
            models=tuple(result for result in results if isinstance(result, ModelResult)),
            failures=tuple(result for result in results if isinstance(result, FailedModel)),
        )

    def _problems(self) -> Problems:
        """Return all draws of the problem: from the folder, where they were measured already."""
        folder, draws = self._config.folder / "problems", range(len(self._draws))
        files = [folder / f"{index}.json" for index in draws]
        names = [f"problem {index}, {own_name(self._config)}" for index in draws]
        there = [_read_problem(*named) for named in zip(files, names, strict=True)]
        # An earlier version's floor is none.
        missing = [i for i in draws if (of := there[i]) is None or of.floor is None]
        if missing:
            self._progress.begin("teachers", len(missing))
            in_threads(
                lambda index: write_sealed(
                    files[index], to_json(ProblemResult, self._measure_problem(index)), names[index]
                ),
                missing,
                lambda done: self._progress.update(done, "measured"),
            )
            there = [_read_problem(*named) for named in zip(files, names, strict=True)]
        return tuple(of for of in there if of is not None)

    def _measure_problem(self, index: int) -> ProblemResult:
        validation = self._trajectories.validation(index, self._trajectories.store(index))
        return measure_problem(self._config, self._codec, self._draws[index], index, validation)

    def _result(self, run: Run) -> ModelResult | FailedModel:
        """Return a run's result with where its rollouts ended."""
        result = read_result(self._config, run)
        if isinstance(result, FailedModel):
            return result
        problem = self._draws[draw_of(self._config, run)].problem
        kept = read_paths(self._config, run)
        return replace(result, ends=measure_ends(self._config, self._codec, problem, kept))


def _read_problem(file: Path, of: str) -> ProblemResult | None:
    """Return a draw of the problem as it was measured; None where it was not yet.

    Raises:
        DamagedFileError: where its file is damaged, or another run's.
    """
    if not file.exists():
        return None
    remedy = "delete it and run the same command again, which measures it anew"
    found = read_sealed(file, of, remedy)
    if lacking := {"A", "b", "eigenvalues", "teacher", "codec_teacher"} - found.keys():
        raise DamagedFileError(file, f"lacks {', '.join(sorted(lacking))}", remedy)
    return read_as(ProblemResult, found, file, remedy)


def draw_of(config: SweepConfig, run: Run) -> int:
    """Return which draw of the problem a run belongs to."""
    return run.replicate // config.model.initialisations if config.model.draws > 1 else 0


def _earlier_provenance(folder: Path) -> Provenance | None:
    try:
        found = json.loads((folder / "sweep.json").read_text())["provenance"]
        own = {name: value for name, value in found.items() if name != "report"}
        earlier: Provenance = from_json(Provenance, own)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return earlier
