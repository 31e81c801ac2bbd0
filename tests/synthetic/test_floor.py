"""The loss of a perfect model, against exact rational arithmetic, plain loops and known distributions."""

import collections
import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotmess_jax.synthetic.cells import cells, points_within
from hotmess_jax.synthetic.codec import MAX_EXPONENT, MINUS, PLUS, FloatCodec
from hotmess_jax.synthetic.floor import loss_floor
from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
from hotmess_jax.synthetic.teacher import Teacher, teacher_trajectories
from hotmess_jax.synthetic.token_entropy import token_entropy
from hotmess_jax.synthetic.visits import Paths, visits

KEY = jax.random.key(0)


def line_cells(precision):
    """The cells of the positive numbers as fractions, written down decade by decade, and their tokens."""
    edges, tokens = [Fraction(0)], []
    for exponent in range(MAX_EXPONENT, -1, -1):
        unit = Fraction(1, 10 ** (exponent + precision))
        first = 0 if exponent == MAX_EXPONENT else 10**precision
        for mantissa in range(first, 10 ** (precision + 1)):
            digits = tuple(int(c) for c in f"{mantissa:0{precision + 1}d}")
            if tokens and mantissa == first:  # the decade below rounds up into this one
                edges[-1] = Fraction(mantissa) * unit - unit / 20
            edges.append((mantissa + Fraction(1, 2)) * unit)
            tokens.append((exponent, *digits))
    return edges, tokens


def exact_entropies(precision, slope, minimum, x):
    """Entropies of the beginnings of the tokens of −slope·(x − minimum), over x's cell, exactly."""
    edges, tokens = line_cells(precision)
    (place,) = [i for i in range(len(tokens)) if edges[i] < abs(x) < edges[i + 1]]
    low, high = edges[place], edges[place + 1]
    if x < 0:
        low, high = -high, -low
    ends = [-slope * (low - minimum), -slope * (high - minimum)]
    low, high = min(ends), max(ends)
    chances = collections.Counter()
    for sign, mark in ((1, PLUS), (-1, MINUS)):
        for i, written in enumerate(tokens):
            a, b = sorted((sign * edges[i], sign * edges[i + 1]))
            inside = min(b, high) - max(a, low)
            if inside > 0:
                zero = not any(written[1:])
                chances[(PLUS if zero else mark, *written)] += Fraction(inside, 1) / (high - low)
    assert sum(chances.values()) == 1
    return [entropy_of(chances, k) for k in range(len(written) + 2)]


def entropy_of(chances, length):
    beginnings = collections.Counter()
    for written, chance in chances.items():
        beginnings[written[:length]] += chance
    return -sum(float(p) * math.log(p) for p in beginnings.values())


def line(slope, minimum):
    return Quadratic(jnp.asarray([[slope]], jnp.float32), jnp.asarray([minimum], jnp.float32))


@pytest.mark.parametrize("precision", [1, 2])
def test_fixed_steps_on_a_line_are_unsure_in_the_minimum_s_cell_alone(precision):
    minimum = 0.625 + 0.3 * 10.0**-precision / 10
    states = np.asarray([[minimum], [1.5], [-0.7], [minimum], [3.25], [1e-5]], np.float32)
    found = loss_floor(
        KEY, line(1.0, minimum), FloatCodec(precision), Teacher(0.05), states, points=65536
    )
    edges, _ = line_cells(precision)
    exactly = Fraction(float(np.float32(minimum)))
    (low,) = [a for a, b in itertools.pairwise(edges) if a < exactly < b]
    share = float((exactly - low) * 10 ** (precision + 1))
    assert 0.1 < share < 0.9
    # Sign alone: steps to either side are as long.
    expected = -share * math.log(share) - (1 - share) * math.log(1 - share)
    np.testing.assert_allclose(found.by_token[0], expected * 2 / 6, atol=2e-3)
    # But for the few points that are the very float32 of the minimum.
    np.testing.assert_allclose(found.by_token[1:], 0, atol=2e-3)
    assert found.value * (precision + 3) == pytest.approx(sum(found.by_token), abs=1e-12)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("precision", [1, 2])
@pytest.mark.parametrize("x", [2.31, -0.5012, 1.0, 0.1, 0.33, 9.4e-4, 0.297, -1.0, 0.0])
def test_gradient_descent_on_a_line_has_its_exact_entropy(precision, x):
    slope, minimum = 0.75, 0.3125  # in binary, exact
    states = np.full((4, 1), np.float32(x))
    found = loss_floor(
        KEY,
        line(1.0, minimum),
        FloatCodec(precision),
        Teacher(slope, "gradient"),
        states,
        points=50_000,
    )
    x = Fraction(float(np.float32(x))) or Fraction(1, 10**13)
    beginnings = exact_entropies(precision, Fraction(slope), Fraction(minimum), x)
    np.testing.assert_allclose(found.by_token, np.diff(beginnings), atol=6e-3)
    assert found.value == pytest.approx(beginnings[-1] / (precision + 3), abs=2e-3)
    assert found.low - 2e-3 <= beginnings[-1] / (precision + 3) <= found.high + 2e-3


@settings(max_examples=100, deadline=None)
@given(st.floats(-9.84375, 9.84375, width=32), st.integers(1, 5))
def test_a_cell_holds_exactly_the_numbers_of_the_same_tokens(value, precision):
    codec = FloatCodec(precision)
    values = np.asarray([value], np.float32)
    cell = cells(codec, values)
    tokens = np.asarray(codec.encode(values))
    least, most = (np.asarray(cell.sign * end) for end in (cell.least, cell.most))
    outward = np.asarray(cell.sign * np.float32(20))
    assert min(least, most) <= value <= max(least, most)
    for end, beyond in ((least, -outward), (most, outward)):
        assert np.array_equal(codec.encode(end), tokens)
        assert not np.array_equal(codec.encode(np.nextafter(end, beyond)), tokens)
    assert cell.finite.all()
    drawn = points_within(KEY, cell, 200)
    assert (np.asarray(codec.encode(drawn)) == tokens).all()


def test_points_are_uniform_within_a_lopsided_cell():
    """1.00 reaches from 0.9995 to 1.005."""
    drawn = np.asarray(points_within(KEY, cells(FloatCodec(2), np.float32([1.0])), 100_000), np.float64)
    assert drawn.min() >= 0.9995 and drawn.max() <= 1.005
    np.testing.assert_allclose(drawn.mean(), (0.9995 + 1.005) / 2, atol=3e-5)
    np.testing.assert_allclose((drawn < 1).mean(), 1 / 11, atol=4e-3)


def loop_over_groups(tokens, prior):
    """low and high by going through samples and tokens, counting anew for each."""
    low = high = 0.0
    rows = [tuple(row) for row in tokens]
    for row in rows:
        low -= math.log(rows.count(row) / len(rows)) / len(rows)
        others = list(rows)
        others.remove(row)
        for k, token in enumerate(row):
            same = [other[k] for other in others if other[:k] == row[:k]]
            kinds = 2 if token in (PLUS, MINUS) else 10
            high -= math.log((same.count(token) + prior / kinds) / (len(same) + prior)) / len(rows)
    return low, high


def chao_wang_jost(labels):
    """The estimator as its paper writes it, with the sums that it has."""
    n, counts = len(labels), collections.Counter(labels)
    harmonic = np.append(0, 1 / np.arange(1, n))
    once, twice = (sum(c == k for c in counts.values()) for k in (1, 2))
    total = sum(c / n * harmonic[c:].sum() for c in counts.values())
    if once == 0:
        return total
    pairs, singles = (2 * twice, once) if twice else (2, once - 1)
    a = pairs / ((n - 1) * singles + pairs)
    if a == 1:
        return total
    tail = -math.log(a) - sum((1 - a) ** r / r for r in range(1, n))
    return total + once / n * (1 - a) ** (1 - n) * tail


@pytest.mark.parametrize(("count", "spread"), [(60, 0.05), (200, 0.3), (120, 30.0), (40, 1e-6)])
def test_estimates_agree_with_plain_loops(count, spread):
    rng = np.random.default_rng(count)
    codec = FloatCodec(1)
    tokens = np.asarray(
        codec.encode(
            np.clip(np.float32([0.02, 0.7]) + spread * rng.standard_normal((count, 2)), -9.9, 9.9)
        )
    )
    found = token_entropy(tokens, 1)
    low, high = loop_over_groups(tokens, 0.1)
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-4, atol=1e-5)
    beginnings = [chao_wang_jost([tuple(row[:k]) for row in tokens]) for k in range(9)]
    np.testing.assert_allclose(np.cumsum(found.by_token), beginnings[1:], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kinds", "law"), [(1, "even"), (40, "even"), (1_000, "even"), (4_000, "even"), (1_000, "zipf")]
)
def test_the_bias_that_remains_is_small_where_the_truth_is_known(kinds, law):
    """1,024 samples of up to 4,000 kinds; the plug-in entropy is up to 1.5 nats too low."""
    rng = np.random.default_rng(kinds)
    chances = 1 / np.arange(1, kinds + 1) ** (law == "zipf")
    chances = chances / chances.sum()
    truth = -(chances * np.log(chances)).sum()
    numbers = FloatCodec(4).encode((np.arange(kinds, dtype=np.float32)[:, None] + 10_000) / 1e4)
    trials = [
        token_entropy(np.asarray(numbers)[rng.choice(kinds, 1_024, p=chances)], 4) for _ in range(40)
    ]
    value, low, high = (
        np.mean(part)
        for part in (
            [t.by_token.sum() for t in trials],
            [t.low for t in trials],
            [t.high for t in trials],
        )
    )
    assert abs(value - truth) < 0.015 * truth + 1e-9
    assert low - 1e-6 <= truth <= high
    if kinds == 4_000:
        assert truth - low > 1.0


@pytest.mark.parametrize("rule", ["steepest", "sign", "newton", "gradient"])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_floor_is_below_zero_and_the_bracket_is_in_order(rule, seed):
    problem = random_quadratic(jax.random.key(seed % 1000), 2, 50.0)
    states = np.random.default_rng(seed).uniform(-5, 5, (8, 2)).astype(np.float32)
    found = loss_floor(
        jax.random.key(seed), problem, FloatCodec(1), Teacher(0.05, rule), states, 8, 512
    )
    assert 0 <= found.low <= found.value + 1e-9 and found.low <= found.high
    assert found.value == pytest.approx(np.mean(found.by_token), abs=1e-9)
    assert found.states == 8 and found.left_out == 0


def test_states_at_the_codec_s_limit_are_left_out_and_counted():
    problem = line(1.0, 0.5)
    states = np.float32([[1.5], [9.9], [12.0], [-99.0], [2.5]])
    found = loss_floor(KEY, problem, FloatCodec(1), Teacher(0.05), states, points=64)
    assert (found.states, found.left_out) == (2, 3) and found.value == 0 < found.high
    with pytest.raises(ValueError, match="at least 2 states with a finite cell, got 1 of 4 states"):
        loss_floor(KEY, problem, FloatCodec(1), Teacher(0.05), states[:4])
    with pytest.raises(ValueError, match="at least 2 points a cell, got 1"):
        loss_floor(KEY, problem, FloatCodec(1), Teacher(0.05), states, points=1)


def test_of_many_states_a_random_part_stands_for_all():
    problem = random_quadratic(jax.random.key(3), 2, 50.0)
    states = np.random.default_rng(3).uniform(-2, 2, (1_500, 2)).astype(np.float32)

    def floor(key, most):
        return loss_floor(jax.random.key(key), problem, FloatCodec(1), Teacher(0.05), states, most, 512)

    whole, parts = floor(0, 1_500), [floor(k, 100) for k in range(1, 21)]
    assert {part.states for part in parts} == {100}
    spread = np.std([part.value for part in parts], ddof=1)
    assert 0.6 < spread / np.mean([part.se for part in parts]) < 1.5
    assert abs(np.mean([part.value for part in parts]) - whole.value) < 4 * spread / 20**0.5


def paths_around(b, scale, steps, trajectories):
    def starts(key, count):
        return b + jax.random.uniform(key, (count, len(b)), minval=-scale, maxval=scale)

    return Paths(starts, steps, trajectories)


def states_of(key, problem, teacher, paths):
    """All states of the trajectories that `visits` looks through."""
    key_starts, _ = jax.random.split(key)
    starts = paths.starts(jax.random.fold_in(key_starts, 0), 16_384)
    return np.asarray(teacher_trajectories(problem, starts, teacher, paths.steps))[:-1].reshape(-1, 2)


@pytest.mark.parametrize("most", [50, 100_000])
def test_visits_are_all_states_of_the_same_tokens(most):
    b = jnp.asarray([0.62, -0.47], jnp.float32)
    problem, codec = random_quadratic(jax.random.key(4), 2, 5.0)._replace(b=b), FloatCodec(2)
    teacher, paths = Teacher(0.05), paths_around(b, 0.3, 10, 10_000)
    passed = states_of(KEY, problem, teacher, paths)
    given = np.concatenate([passed[::15_000], passed[-1:], passed[-1:], np.float32([[5.0, 5.0]])])
    seen = visits(KEY, problem, codec, teacher, given, paths, most)
    by_tokens = collections.defaultdict(list)
    for row, state in zip(np.asarray(codec.encode(passed)).tolist(), passed.tolist(), strict=True):
        by_tokens[tuple(row)].append(tuple(state))
    for state, kept, count in zip(given, seen.states, seen.counts, strict=True):
        truth = by_tokens[tuple(np.asarray(codec.encode(state)).tolist())]
        assert count == min(len(truth), most)
        assert collections.Counter(map(tuple, kept[:count].tolist())) <= collections.Counter(truth)
        assert (kept[count:] == state).all()
    assert seen.counts[-1] == 0 and seen.counts[:-1].min() >= 1 and seen.counts.max() >= 50


def test_a_floor_counts_where_trajectories_come_by_and_takes_uniform_points_elsewhere():
    b = jnp.asarray([0.62, -0.47], jnp.float32)
    problem, codec = random_quadratic(jax.random.key(4), 2, 5.0)._replace(b=b), FloatCodec(1)
    teacher, paths = Teacher(0.05), paths_around(b, 1.0, 40, 10_000)
    given = np.concatenate(
        [states_of(KEY, problem, teacher, paths)[-40:], np.float32([[5, 5], [4, -6]])]
    )
    found = loss_floor(KEY, problem, codec, teacher, given, points=300, paths=paths)
    uniform = loss_floor(KEY, problem, codec, teacher, given, points=300)
    seen = visits(jax.random.fold_in(KEY, 2), problem, codec, teacher, given, paths, 300)
    counted = seen.counts >= 15
    assert found.counted == counted.sum() and found.uniform == uniform.value and uniform.counted == 0
    assert 30 < found.counted <= 40
    apart = 0.0
    for state, visited, count in zip(
        given[counted], seen.states[counted], seen.counts[counted], strict=True
    ):
        u = np.asarray(codec.encode(teacher.update(problem, visited[:count])))
        alone = np.stack([state, state])
        apart += chao_wang_jost([tuple(row) for row in u])
        apart -= 8 * loss_floor(KEY, problem, codec, teacher, alone, points=300).value
    # Other points are drawn for each state alone.
    assert 42 * 8 * (found.value - uniform.value) == pytest.approx(apart, abs=0.05 * abs(apart))
    assert found.low <= found.value <= found.high and found.value < uniform.value


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), [(0, 15), (60, 76)])
def test_on_the_way_trajectories_fill_their_cells_as_uniform_points_do_and_later_not(first, last):
    """The same entropy out of the states of 20,000 trajectories, those of a cell together."""
    b = jnp.asarray([3.02, 3.47])
    problem = random_quadratic(jax.random.key(4), 2, 5.0)._replace(b=b)
    codec, teacher = FloatCodec(1), Teacher(0.05)
    starts = b + jax.random.uniform(KEY, (20_000, 2), minval=-1.5, maxval=1.5)
    states = np.asarray(teacher_trajectories(problem, starts, teacher, last))[first:].reshape(-1, 2)
    x, u = (np.asarray(codec.encode(v)) for v in (states, teacher.update(problem, states)))
    _, cell, size = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(cell.ravel(), kind="stable"), np.cumsum(size)[:-1])
    chances = np.where(size >= 200, size, 0) / size[size >= 200].sum()
    assert size[size >= 200].sum() > 0.8 * len(states)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(size), 150, p=chances)
    empirical = np.mean(
        [chao_wang_jost([tuple(row) for row in u[rng.permutation(groups[c])[:1_000]]]) for c in chosen]
    )
    of_these = states[[groups[c][0] for c in chosen]]

    def later(key, count):  # starts from step `first` on
        return teacher_trajectories(
            problem, paths_around(b, 1.5, 0, 0).starts(key, count), teacher, first
        )[-1]

    paths = Paths(later, last + 1 - first, 32_768)
    found = loss_floor(KEY, problem, codec, teacher, of_these, points=1_000, paths=paths)
    assert found.counted == 150
    assert found.value == pytest.approx(empirical / 8, rel=0.03)
    if first == 0:
        assert abs(empirical / 8 - found.uniform) < 0.08 * found.uniform
    else:
        assert empirical / 8 < 0.5 * found.uniform
