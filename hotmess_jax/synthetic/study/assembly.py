"""A sweep's results gathered into the document that sweep.json holds."""

import json
from pathlib import Path

from hotmess_jax.machine.files import DamagedFileError, read_sealed, write_sealed
from hotmess_jax.machine.processes import from_first
from hotmess_jax.machine.threads import in_threads
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import floor_of
from hotmess_jax.synthetic.study.folder import Run, own_name, read_paths, read_result, runs_of
from hotmess_jax.synthetic.study.measure import measure_ends, measure_problem
from hotmess_jax.synthetic.study.problems import Drawn
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.trajectories import Trajectories

SCHEMA = 2


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

    def document(self, provenance: Json, seconds: float, anything: bool) -> Json:
        """Return the document.

        Args:
            provenance: of this process.
            seconds: that it took.
            anything: whether anything was measured; if not, the document keeps the provenance it had.
        """
        config = self._config
        problems = from_first(self._problems)
        results = [self._result(run) for run in runs_of(config)]
        first = problems[0]
        own: Json = {**provenance, "seconds": round(seconds, 3)}
        before = None if anything else _earlier_provenance(config.folder)
        return {
            "schema": SCHEMA,
            "config": config.identity(),
            "provenance": (before or own) | {"report": provenance["git_commit"]},
            "problem": {name: first[name] for name in ("A", "b", "eigenvalues")},
            "teacher": first["teacher"],
            "codec_teacher": first["codec_teacher"],
            "problems": problems,
            "models": [result for result in results if "failed" not in result],
            "failures": [result for result in results if "failed" in result],
        }

    def _problems(self) -> list[Json]:
        """Return all draws of the problem: from the folder, where they were measured already."""
        folder, draws = self._config.folder / "problems", range(len(self._draws))
        files = [folder / f"{index}.json" for index in draws]
        names = [f"problem {index}, {own_name(self._config)}" for index in draws]
        there = [_read_problem(*named) for named in zip(files, names, strict=True)]
        # An earlier version's floor is none.
        missing = [i for i in draws if (of := there[i]) is None or floor_of(of) is None]
        if missing:
            self._progress.begin("teachers", len(missing))
            in_threads(
                lambda index: write_sealed(files[index], self._measure_problem(index), names[index]),
                missing,
                lambda done: self._progress.update(done, "measured"),
            )
            there = [_read_problem(*named) for named in zip(files, names, strict=True)]
        return [of for of in there if of is not None]

    def _measure_problem(self, index: int) -> Json:
        validation = self._trajectories.validation(index, self._trajectories.store(index))
        return measure_problem(self._config, self._codec, self._draws[index], index, validation)

    def _result(self, run: Run) -> Json:
        """Return a run's result with where its rollouts ended."""
        result: Json = read_result(self._config, run)
        if "failed" not in result:
            problem = self._draws[draw_of(self._config, run)].problem
            kept = read_paths(self._config, run)
            found = measure_ends(self._config, self._codec, problem, kept)
            result["ends"] = found.to_json()
        return result


def _read_problem(file: Path, of: str) -> Json | None:
    """Return a draw of the problem as it was measured; None where it was not yet.

    Raises:
        DamagedFileError: where its file is damaged, or another run's.
    """
    if not file.exists():
        return None
    remedy = "delete it and run the same command again, which measures it anew"
    found: Json = read_sealed(file, of, remedy)
    if lacking := {"A", "b", "eigenvalues", "teacher", "codec_teacher"} - found.keys():
        raise DamagedFileError(file, f"lacks {', '.join(sorted(lacking))}", remedy)
    return found


def draw_of(config: SweepConfig, run: Run) -> int:
    """Return which draw of the problem a run belongs to."""
    return run.replicate // config.model.initialisations if config.model.draws > 1 else 0


def _earlier_provenance(folder: Path) -> Json | None:
    try:
        found: Json = json.loads((folder / "sweep.json").read_text())["provenance"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and found.keys() >= {"device", "versions"} else None
