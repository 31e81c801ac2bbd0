"""Four host devices, for meshes of 1, 2 and 4; programs compiled once."""

import atexit
import functools
import os
import shutil
import tempfile

os.environ["MPLBACKEND"] = "agg"
# Compiling takes most of the time here; set, but empty, XLA_FLAGS tests programs as they are compiled elsewhere.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Workers and the processes that tests start share what was compiled.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="hotmess-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 4)


@pytest.fixture(scope="session", autouse=True)
def cheap_outputs():
    """Let sweeps in this process estimate the loss floor from few states, and leave their figures undrawn.

    Those in processes of their own, and the tests of the floor and of figures, do all of it.
    """
    from hotmess_jax.synthetic.study import measure, outputs, problems

    def undrawn(figures, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in figures:
            for kind in ("png", "pdf"):
                (folder / f"{name}.{kind}").write_bytes(b"not drawn")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "save_figures", undrawn)
        few = functools.partial(measure.loss_floor, most_states=32, points=512)
        patch.setattr(measure, "loss_floor", few)
        patch.setattr(problems, "FLOOR_STATES", 1)
        yield


@pytest.fixture
def cudnn_calls(monkeypatch):
    """Let XLA compute what cuDNN's kernel is asked, which needs a GPU; note the numbers of positions."""
    attention, calls = jax.nn.dot_product_attention, []

    def on_cpu(*heads, implementation, **how):
        assert implementation == "cudnn"
        calls.extend(y.shape[1] for y in heads)
        return attention(*heads, implementation="xla", **how)

    monkeypatch.setattr(jax.nn, "dot_product_attention", on_cpu)
    return calls
