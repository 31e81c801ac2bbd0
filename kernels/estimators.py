"""Finite-sample corrections of the plug-in estimates."""

from kernels.decompositions import Decomposition


def unbiased(plugin: Decomposition, samples: int) -> Decomposition:
    """Correct a plug-in squared-error decomposition for its finite number of samples.

    The plug-in variance of R independent samples is low by R/(R − 1), and its bias² holds 1/R of the
    true variance. The error is unbiased as it stands. A corrected bias² may be negative.

    Args:
        plugin: of `samples` independent samples (squared error or Brier: any squared norm).
        samples: R, at least 2.

    Raises:
        ValueError: for fewer than 2 samples, whose variance is unknown.

    Source: E‖mean − target‖² = ‖expectation − target‖² + variance / R.
    """
    if samples < 2:
        raise ValueError(f"an unbiased variance needs at least 2 samples, got {samples}")
    variance = plugin.variance * (samples / (samples - 1))
    return Decomposition(plugin.error, plugin.bias2 - variance / samples, variance)
