"""Names of choices are checked wherever one comes in; tests of types, which run here alone, are not needed for it."""

import json
import re
import subprocess
import sys

import pytest

from kernels.names import check_name

MISSPELT = [
    ('Teacher(0.05, "steepist")', "rule", "steepest"),
    ('random_quadratic(KEY, 2, 50.0, "geometrc")', "spectrum", "geometric"),
    ('draw_starts(KEY, 3, np.zeros(2), "ofset")', "distribution", "offset"),
    ('trainer(loss_on="updates")', "loss_on", "update"),
    ('trainer(compute="float23")', "compute", "float32"),
    ('trainer(attention="cuddn")', "attention", "cudnn"),
    ('SweepConfig(problem=ProblemSettings(teacher="newtn")).validate()', "teacher", "newton"),
    (
        'SweepConfig(model=ModelSettings(replicate_varies="problems")).validate()',
        "replicate-varies",
        "problem",
    ),
    ('bootstrap(KEY, lambda q: q, np.zeros(3), over="question")', "over", "questions"),
]
SCRIPT = """
import json
import jax
import numpy as np
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.study.settings import ModelSettings, ProblemSettings, SweepConfig
from hotmess_jax.synthetic.model import parse_size
from hotmess_jax.synthetic.quadratic import random_quadratic
from hotmess_jax.statistics.fits import power_law
from hotmess_jax.machine.sharding import make_mesh
from hotmess_jax.synthetic.starts import draw_starts
from hotmess_jax.synthetic.teacher import Teacher
from hotmess_jax.synthetic.train import Layout, Trainer, make_optimiser
from hotmess_jax.synthetic.train_step import Task
from kernels.resampling import bootstrap
KEY = jax.random.key(0)
def trainer(loss_on="update", **how):
    optimiser = make_optimiser(1e-3, 10, 1, 0.0, 1.0)
    task = Task(2, FloatCodec(2), Teacher(0.05), loss_on)
    return Trainer(parse_size("3k"), task, optimiser, make_mesh(16), Layout(**how))
def message(call):
    try:
        return f"taken: {eval(call)}"
    except ValueError as error:
        return str(error)
print(json.dumps([message(call) for call in CALLS]))
"""


def messages_of(*calls):
    """What is said of each, as in a notebook, where nothing checks types."""
    script = SCRIPT.replace("CALLS", repr(calls))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def test_a_misspelt_name_is_refused_with_the_nearest():
    messages = messages_of(*(call for call, _, _ in MISSPELT))
    for (call, what, near), message in zip(MISSPELT, messages, strict=True):
        assert re.match(rf"{what} must be one of .* \(did you mean '{near}'\?\)$", message), (
            call,
            message,
        )


def test_shapes_that_do_not_fit_are_named():
    one, two = messages_of(
        "power_law(np.ones(3), np.ones(3))", "power_law(np.ones(3), np.ones((2, 1)))"
    )
    assert one == "values must be sizes × replicates for 3 sizes, got the shape (3,)"
    assert two == "values must be sizes × replicates for 3 sizes, got the shape (2, 1)"


def test_a_name_that_is_near_nothing_is_refused_with_all_there_are():
    check_name("form", "b", ("a", "b"))
    with pytest.raises(ValueError, match=r"^form must be one of a, b, got 'zzz'$"):
        check_name("form", "zzz", ("a", "b"))
