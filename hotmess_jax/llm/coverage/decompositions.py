"""Simulations of bias², variance, accuracy and incoherence, and of what more samples do."""

from hotmess_jax.coverage import Simulation

SIMULATIONS: tuple[Simulation, ...] = ()
