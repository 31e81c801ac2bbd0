"""Each question's decomposition, plug-in and corrected for its samples and their contexts."""

import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy import special

from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.samples import Block, by_context, context_sizes
from kernels.arrays import Scalar
from kernels.decompositions import Decomposition, Present, brier, kl, zero_one
from kernels.estimators import NestedVariance, jackknife_kl, nested_kl, nested_squared_error, unbiased
from kernels.names import check_name

Metric = Literal["kl", "brier", "zero_one"]
# Brier leads: it alone has corrected values that are exact at any number of samples.
METRICS: tuple[Metric, ...] = ("brier", "kl", "zero_one")
# Draws of fewer samples that KL's plug-in variance is averaged over.
DRAWS = 20


class Contexts(NamedTuple):
    """Of each question: how many contexts it has, and the corrected variance between and within them.

    Both are NaN where they cannot be told apart: with one context, or one sample in each.
    """

    number: Int[np.ndarray, " questions"]
    between: Float[np.ndarray, " questions"]
    within: Float[np.ndarray, " questions"]


def plugin_of(
    metric: Metric,
    probs: Float[Array, "questions samples classes"],
    target: Int[Array, " questions"],
    present: Present,
    smoothing: Scalar,
) -> Decomposition:
    """Return each question's plug-in decomposition."""
    if metric == "kl":
        return kl(probs, target, smoothing, present)
    return (brier if metric == "brier" else zero_one)(probs, target, present)


@functools.partial(jax.jit, static_argnames=("metric",))
def decompose(
    metric: Metric,
    probs: Float[Array, "questions samples classes"],
    target: Int[Array, " questions"],
    present: Present,
    smoothing: Scalar,
) -> tuple[Decomposition, Decomposition | None]:
    """Return the plug-in and the corrected decomposition of samples that are independent.

    0/1 has no corrected one.
    """
    plugin = plugin_of(metric, probs, target, present, smoothing)
    if metric == "kl":
        return plugin, jackknife_kl(probs, target, smoothing, 1, present)
    return plugin, unbiased(plugin, present.sum(axis=-1)) if metric == "brier" else None


@in_float64
def decompose_block(
    metric: Metric, block: Block, smoothing: float
) -> tuple[Decomposition, Decomposition | None, Contexts | None]:
    """Return questions' plug-in and corrected decomposition, and what their contexts make of it.

    Samples that share a context are not independent: where a question has two contexts or more, the
    corrected form is that of `estimators.nested_squared_error` or `nested_kl`, in which contexts weigh
    the same; with one sample a context it is what it is without contexts. With a single context the
    samples are taken as independent, and the variance is that within it. KL takes a stated probability
    of 0 for half of the step that it was stated in.

    Raises:
        ValueError: for another metric.

    Source: Hägele et al. 2026, Appendix B.1, for the design of contexts and samples.
    """
    check_name("metric", metric, METRICS)
    given = block.floored() if metric == "kl" else block.probs
    arrays = map(jnp.asarray, (given, block.target, block.present))
    plugin, corrected = jax.tree.map(np.asarray, decompose(metric, *arrays, smoothing))
    if corrected is None:
        return plugin, None, None
    if block.context.max(initial=0) < 1:
        return plugin, corrected, contexts_of(block.present, block.context, None)
    probs, here = by_context(given, block.present, block.context)
    nested, parts = jax.tree.map(
        np.asarray, _nested(metric, *map(jnp.asarray, (probs, block.target, here)), smoothing)
    )
    contexts = contexts_of(block.present, block.context, parts)
    return plugin, of_contexts(contexts, nested, corrected), contexts


def drawn_down(
    plugin: Decomposition, block: Block, samples: int, smoothing: float, seed: int
) -> Decomposition:
    """Return the plug-in KL decomposition at a number of samples, where questions have more.

    The plug-in variance grows with their number; it is the mean over draws of so many of a question's
    samples. The error does not depend on it.

    Args:
        plugin: of all of the samples.
        block: the questions.
        samples: to draw; questions with no more stay as they are.
        smoothing: as in `kl`.
        seed: of the draws.
    """
    more = np.flatnonzero(block.present.sum(axis=1) > samples)
    if not len(more):
        return plugin
    probs = block.floored()[more]
    logs = np.log((probs + smoothing) / (1 + probs.shape[-1] * smoothing))
    random = np.random.default_rng(seed)
    total = np.zeros(len(more))
    for _ in range(DRAWS):
        chance = np.where(block.present[more], random.random(logs.shape[:2]), np.inf)
        chosen = np.argsort(chance, axis=1)[:, :samples, None]
        mean = np.take_along_axis(logs, chosen, axis=1).mean(axis=1)
        total += np.maximum(-special.logsumexp(mean, axis=-1), 0)
    variance = plugin.variance.copy()
    variance[more] = total / DRAWS
    return Decomposition(plugin.error, plugin.error - variance, variance)


@functools.partial(jax.jit, static_argnames=("metric",))
def _nested(
    metric: Metric,
    probs: Float[Array, "questions contexts samples classes"],
    target: Int[Array, " questions"],
    present: Bool[Array, "questions contexts samples"],
    smoothing: Scalar,
) -> tuple[Decomposition, NestedVariance]:
    if metric == "kl":
        return nested_kl(probs, target, smoothing, present)
    one_hot = jax.nn.one_hot(target, probs.shape[-1], dtype=probs.dtype)
    return nested_squared_error(probs, one_hot, present)


def contexts_of(
    present: Bool[np.ndarray, "questions samples"],
    context: Int[np.ndarray, "questions samples"],
    parts: NestedVariance | None,
) -> Contexts:
    """Return questions' contexts; without `parts` nothing is known between and within them."""
    number = (context_sizes(present, context) > 0).sum(axis=1)
    unknown = np.full(len(number), np.nan)
    if parts is None:
        return Contexts(number, unknown, unknown)
    return Contexts(number, np.asarray(parts.between), np.asarray(parts.within))


def of_contexts(contexts: Contexts, nested: Decomposition, independent: Decomposition) -> Decomposition:
    """Return the nested decomposition of questions with two contexts, the other of those with one."""
    return jax.tree.map(
        lambda one, other: np.where(contexts.number > 1, one, other), nested, independent
    )
