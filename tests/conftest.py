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

jax.config.update("jax_num_cpu_devices", 4)
