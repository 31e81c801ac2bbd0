"""Two host devices, as on the smallest machine that the project is made for."""

import os

os.environ["MPLBACKEND"] = "agg"

import jax

jax.config.update("jax_num_cpu_devices", 2)
