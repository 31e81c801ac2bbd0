"""Bias, variance and incoherence of models that err (Hägele et al. 2026, arXiv 2601.23045)."""
