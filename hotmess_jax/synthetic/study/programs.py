"""A sweep's compiled programs: a size's training and its rollouts, of so many replicates at once."""

from hotmess_jax.machine.sharding import make_mesh
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.model import parse_size
from hotmess_jax.synthetic.rollout import ModelRollout
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.train import Layout, Trainer, make_optimiser
from hotmess_jax.synthetic.train_step import Task


def learning_rate(config: SweepConfig, size: str) -> float:
    """Return the peak learning rate of a size."""
    width = parse_size(size).width
    return config.training.learning_rate * (32 / width) ** config.training.learning_rate_exponent


class Programs:
    """Programs that are made when they are first asked for, and kept: each is compiled once."""

    def __init__(self, config: SweepConfig, codec: FloatCodec) -> None:
        self._config, self._codec = config, codec
        self._trainers: dict[tuple[str, int], Trainer] = {}
        self._rollouts: dict[tuple[str, int, float], ModelRollout] = {}

    def trainer(self, size: str, replicates: int) -> Trainer:
        """Return the trainer of so many replicates of a size."""
        if (size, replicates) not in self._trainers:
            self._trainers[size, replicates] = self._make_trainer(size, replicates)
        return self._trainers[size, replicates]

    def rollout(self, size: str, temperature: float, rows: int, replicates: int) -> ModelRollout:
        """Return the rollout of so many replicates of a size, from so many rows each."""
        if (size, replicates, temperature) not in self._rollouts:
            self._rollouts[size, replicates, temperature] = ModelRollout(
                self.trainer(size, replicates).graph,
                self._codec,
                self._config.problem.dimension,
                self._config.rollout.rollout_steps,
                temperature,
                make_mesh(rows, replicates=replicates),
            )
        return self._rollouts[size, replicates, temperature]

    def _make_trainer(self, size: str, replicates: int) -> Trainer:
        problem, training, machine = self._config.problem, self._config.training, self._config.machine
        optimiser = make_optimiser(
            learning_rate(self._config, size),
            training.train_steps,
            training.warmup_steps,
            training.weight_decay,
            training.clip_norm,
        )
        return Trainer(
            parse_size(size),
            Task(problem.dimension, self._codec, problem.imitated, training.loss_on),
            optimiser,
            make_mesh(training.batch_size, replicates=replicates),
            Layout(
                machine.micro_batch,
                machine.steps_per_dispatch,
                self._config.model.compute,
                machine.attention,
            ),
        )
