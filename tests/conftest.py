"""Four host devices, for meshes of 1, 2 and 4; programs compiled once."""

import atexit
import os
import shutil
import tempfile

os.environ["MPLBACKEND"] = "agg"
# Workers and the processes that tests start share what was compiled.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="hotmess-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 4)


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
