"""Simulations of bias², variance, accuracy and incoherence, and of what more samples do."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.analyses.efficiency import efficiency
from hotmess_jax.llm.analyses.ensembles import ensembling, sizes_to
from hotmess_jax.llm.coverage.comparisons import ends_of
from hotmess_jax.llm.measures.kl_correction import Units, judge, most_of, plugin_and_corrected, too_few
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.statistics.coverage import Seen, Simulation, seen_bias, seen_coverage, seen_rejections
from hotmess_jax.statistics.intervals import mean_interval, paired_difference, ratio_interval

Random = np.random.Generator
# Of one run and question: the probability of each of four answers, the first of which is right.
Probs = Float[np.ndarray, "*shape 4"]
# Questions of which a population's truth is computed.
MANY = 400_000
SMOOTHING = 1e-12


def _answers(right: Float[np.ndarray, "*shape"], random: Random) -> Probs:
    """Return a probability of each answer: the right one's as given, the others' unequal shares of the rest."""
    wrong = random.dirichlet(np.full(3, 0.7), right.shape)
    return np.concatenate([right[..., None], (1 - right)[..., None] * wrong], axis=-1)


def _mostly(share: float, value: float) -> Callable[[Random, tuple[int, ...]], np.ndarray]:
    """Return a population that is `value` but for a share, which is uniform."""

    def draw(random: Random, shape: tuple[int, ...]) -> np.ndarray:
        return np.where(random.random(shape) < share, value, random.random(shape))

    return draw


def _two(share: float, value: float, other: float) -> Callable[[Random, tuple[int, ...]], np.ndarray]:
    return lambda random, shape: np.where(random.random(shape) < share, value, other)


def _beta(a: float, b: float) -> Callable[[Random, tuple[int, ...]], np.ndarray]:
    return lambda random, shape: random.beta(a, b, shape)


# How likely a question's samples are right, question by question.
POPULATIONS: dict[str, Callable[[Random, tuple[int, ...]], np.ndarray]] = {
    "97 % always right, the rest any": _mostly(0.97, 1.0),
    "97 % right, spread over questions": _beta(9.7, 0.3),
    "97 % right, every question alike": _beta(97.0, 3.0),
    "97 % nearly always right, the rest never": _two(0.97, 0.99, 0.0),
    "80 % right": _beta(1.6, 0.4),
    "half right, any": _beta(1.0, 1.0),
    "97 % never right, the rest any": _mostly(0.97, 0.0),
    "3 % right, spread over questions": _beta(0.3, 9.7),
}
QUESTIONS = (20, 100, 500)
# A question each, in turn; several numbers are questions of unequal numbers.
SAMPLES: dict[str, tuple[int, ...]] = {
    "3": (3,),
    "5": (5,),
    "10": (10,),
    "30": (30,),
    "2 to 30": (2, 3, 5, 10, 30),
}


def _numbers(samples: Sequence[int], questions: int) -> Int[np.ndarray, " questions"]:
    return np.resize(np.asarray(samples), questions)


def _brier(
    shares: Float[np.ndarray, "*shape 4"], numbers: Int[np.ndarray, "*#shape"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return error, plug-in and corrected variance of shares of answers."""
    variance = 1 - (shares**2).sum(axis=-1)
    return 2 * (1 - shares[..., 0]), variance, variance * numbers / (numbers - 1)


def means_and_incoherence(seed: int, runs: int, unparsed: float = 0.0) -> list[Seen]:
    """Simulate all populations, numbers of questions and numbers of samples."""
    found = []
    random = np.random.default_rng(seed)
    for population, draw in POPULATIONS.items():
        many = _answers(draw(random, (MANY,)), random)
        for questions in QUESTIONS:
            for name, samples in SAMPLES.items():
                numbers = _numbers(samples, questions)
                probs = _answers(draw(random, (questions, runs)), random)
                shares = random.multinomial(numbers[:, None], probs) / numbers[:, None, None]
                found += _seen(
                    f"{population}; {questions} questions, {name} samples",
                    shares,
                    numbers,
                    many,
                )
    return found


def _covers(printed: str, case: str, ends: Float[np.ndarray, "2 runs"], truth: float) -> Seen:
    return seen_coverage(printed, case, ends[0], ends[1], truth)


def _seen(
    case: str, shares: np.ndarray, numbers: np.ndarray, many: Probs, most: float = 2.0
) -> list[Seen]:
    """Return what intervals do, of Brier's parts, of answers of a population."""
    error, plugin, corrected = _brier(shares, numbers[:, None])
    variance = (1 - (many**2).sum(axis=-1)).mean()
    of_plugin = variance * (1 - 1 / numbers).mean()
    true = 2 * (1 - many[:, 0]).mean()
    return [
        _covers("accuracy", case, mean_interval(shares[..., 0], 1.0), many[:, 0].mean()),
        _covers("error", case, mean_interval(error, most), true),
        _covers("bias², corrected", case, mean_interval(error - corrected, most), true - variance),
        _covers("variance, corrected", case, mean_interval(corrected, most), variance),
        _covers("incoherence, plug-in", case, ratio_interval(plugin, error, most), of_plugin / true),
        _covers(
            "incoherence, corrected", case, ratio_interval(corrected, error, most), variance / true
        ),
    ]


def unparsed_answers(seed: int, runs: int) -> list[Seen]:
    """Simulate answers of which some cannot be parsed, and are uniform: a distribution each."""
    found = []
    random = np.random.default_rng(seed)
    for share in (0.1, 0.5):
        for questions in QUESTIONS:
            for count in (3, 10):
                right = random.beta(4, 1, (questions, runs))
                probs = np.concatenate(
                    [(1 - share) * _answers(right, random), np.full((questions, runs, 1), share)],
                    axis=-1,
                )
                counts = random.multinomial(count, probs)
                # Sums over samples of the distribution, and of its squared norm, 1 or ¼.
                mean = (counts[..., :4] + counts[..., 4:] / 4) / count
                square = (counts[..., :4].sum(axis=-1) + counts[..., 4] / 4) / count
                variance = square - (mean**2).sum(axis=-1)
                error = 1 - 2 * mean[..., 0] + square
                many = (1 - share) * _answers(random.beta(4, 1, MANY), random)
                of_many = many + share / 4
                norm = 1 - share + share / 4
                true = (1 - 2 * of_many[:, 0]).mean() + norm
                spread = norm - (of_many**2).sum(axis=-1).mean()
                case = (
                    f"80 % right, {100 * share:.0f} % unparsed; {questions} questions, {count} samples"
                )
                corrected = variance * count / (count - 1)
                found += [
                    _covers("error", case, mean_interval(error, 2.0), true),
                    _covers(
                        "incoherence, corrected",
                        case,
                        ratio_interval(corrected, error, 2.0),
                        spread / true,
                    ),
                ]
    return found


def _truth(probs: Probs) -> tuple[float, ...]:
    """Return accuracy, bias², variance and incoherence of a population."""
    right, variance = probs[:, 0].mean(), 1 - (probs**2).sum(axis=-1).mean()
    error = 2 * (1 - right)
    return float(right), float(error - variance), float(variance), float(variance / error)


def differences(seed: int, runs: int) -> list[Seen]:
    """Simulate two models on the same questions, which are hard for both or easy for both."""
    found = []
    random = np.random.default_rng(seed)
    cases = {
        "one model twice": (_beta(1.6, 0.4), 1.0),
        "a better model": (_beta(1.6, 0.4), 0.5),
        "97 % always right": (_mostly(0.97, 1.0), 0.5),
        "3 % right": (_beta(0.3, 9.7), 0.5),
    }
    for name, (draw, power) in cases.items():
        first = _answers(draw(random, (MANY,)), random)
        second = _answers(np.power(first[:, 0], power, dtype=float), random)
        truths = [_truth(of) for of in (first, second if power != 1 else first)]
        for questions in QUESTIONS:
            for count in (3, 10):
                right = draw(random, (questions, runs))
                probs = _answers(right, random)
                # A model twice has one distribution; a better one is wrong in its own way.
                others = probs if power == 1 else _answers(np.asarray(right**power), random)
                parts = [
                    _brier(random.multinomial(count, of) / count, np.asarray([[count]]))
                    for of in (probs, others)
                ]
                found += _of_a_difference(
                    parts, truths, f"{name}; {questions} questions, {count} samples"
                )
    return found


def _of_a_difference(
    parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], truths: Sequence[tuple], case: str
) -> list[Seen]:
    """Return how often the interval of each corrected difference covers, and the test rejects."""
    (error, _, variance), (other_error, _, other_variance) = parts
    true = [first - second for first, second in zip(*truths, strict=True)]
    results = {
        "accuracy": paired_difference((1 - error / 2, 1 - other_error / 2), None, 1.0),
        "bias²": paired_difference((error - variance, other_error - other_variance), None, 2.0),
        "variance": paired_difference((variance, other_variance), None, 1.0),
        "incoherence": paired_difference((variance, other_variance), (error, other_error), 1.0),
    }
    found = []
    for (name, result), truth in zip(results.items(), true, strict=True):
        printed = f"difference of {name}, corrected"
        found.append(_covers(printed, case, result.ci95, float(truth)))
        found.append(seen_rejections(printed, case, result.p, "power" if truth else "size"))
    return found


def kl_of_answers(seed: int, runs: int) -> list[Seen]:
    """Simulate KL's corrected incoherence of one-hot answers, where it is shown and where it is not."""
    found = []
    random = np.random.default_rng(seed)
    populations = {
        "80 % right": lambda n: _answers(random.beta(1.6, 0.4, (n,)), random),
        "any answers": lambda n: random.dirichlet(np.ones(4), n),
    }
    for name, draw in populations.items():
        many = draw(MANY)
        # The limit of no smoothing: the variance is 1 − a maximum, in units of −log δ.
        truth = (1 - many.max(axis=-1)).mean() / (1 - many[:, 0]).mean()
        for questions in (100, 300):
            for count in (3, 5, 10, 30):
                shown, hidden, ends = [], [], []
                for run in range(runs):
                    drawn = _one_hot(draw(questions), count, random)
                    most = most_of([drawn])
                    error, _, corrected = plugin_and_corrected(drawn)
                    value = corrected.sum() / error.sum()
                    judged = None if too_few([drawn]) else judge([drawn], 100, seed + run)
                    believed = judged is not None and judged.why_not is None
                    low, high = ratio_interval(corrected, error, most)
                    shown.append(value if believed else np.nan)
                    hidden.append(np.nan if believed else value)
                    ends.append((low, high) if believed else (np.nan, np.nan))
                case = f"{name}, one-hot; {questions} questions, {count} samples"
                found.append(_covers("KL incoherence, corrected", case, np.asarray(ends).T, truth))
                for printed, values in (
                    ("KL incoherence, corrected", shown),
                    ("(not printed) KL incoherence by the jackknife", hidden),
                ):
                    if np.isfinite(values).any():
                        found.append(seen_bias(printed, case, np.asarray(values), truth))
    return found


def _one_hot(probs: Probs, count: int, random: Random) -> Units:
    """Return answers as log-probabilities."""
    place = (random.random((len(probs), count, 1)) > probs.cumsum(axis=-1)[:, None, :-1]).sum(axis=-1)
    logs = np.log((np.eye(4)[place] + SMOOTHING) / (1 + 4 * SMOOTHING))
    return Units(logs, np.ones((len(probs), count), bool), np.zeros(len(probs), int))


def _records(probs: Probs, count: int, random: Random) -> pl.DataFrame:
    """Return records of answers, as `read_records` would have them."""
    place = (random.random((len(probs), count, 1)) > probs.cumsum(axis=-1)[:, None, :-1]).sum(axis=-1)
    rows = len(probs) * count
    nothing = pl.Series([None] * rows)
    return pl.DataFrame(
        {
            "benchmark": nothing.cast(pl.String),
            "question_id": np.repeat([f"q{i:04}" for i in range(len(probs))], count),
            "context": nothing.cast(pl.Int64),
            "sample": np.tile(np.arange(count), len(probs)),
            "model": ["m"] * rows,
            "options": pl.Series([list("ABCD")] * rows),
            "target": ["A"] * rows,
            "answer": np.asarray(list("ABCD"))[place].ravel(),
            "probs": nothing.cast(pl.String),
        }
    )


def of_ensembles(seed: int, runs: int) -> list[Seen]:
    """Simulate ensembles' corrected Brier values, whose variance falls as 1/E."""
    random = np.random.default_rng(seed)
    settings = AnalysisSettings("brier", seed=seed)
    questions, count = 100, 24
    many = _answers(random.beta(1.6, 0.4, MANY), random)
    variance = (1 - (many**2).sum(axis=-1)).mean()
    bias2 = 2 * (1 - many[:, 0]).mean() - variance
    drawn = [
        ensembling(
            _records(_answers(random.beta(1.6, 0.4, questions), random), count, random),
            settings,
            draws=5,
        ).corrected
        for _ in range(runs)
    ]
    sizes = (1, 2, 4, 12)
    places = {size: i for i, size in enumerate(sizes_to(count // 2))}
    found = []
    for size in sizes:
        for name, truth in (
            ("variance", variance / size),
            ("bias2", bias2),
            ("incoherence", variance / size / (bias2 + variance / size)),
        ):
            i = places[size]
            values, low, high = ends_of([getattr(of, name)[i] for of in drawn])
            case = f"80 % right; {questions} questions, {count} samples, E = {size}"
            printed = f"ensembles: {name.replace('2', '²')}, corrected"
            found += [
                seen_coverage(printed, case, low, high, truth),
                seen_bias(printed, case, values, truth),
            ]
    return found


def of_efficiency(seed: int, runs: int) -> list[Seen]:
    """Simulate the ± of fewer samples, against that of new samples of the same questions."""
    random = np.random.default_rng(seed)
    questions, count = 100, 20
    probs = _answers(random.beta(1.6, 0.4, questions), random)
    found = []
    drawn = [
        efficiency(_records(probs, count, random), AnalysisSettings("brier", seed=seed + run), 40)
        for run in range(runs)
    ]
    for i, few in enumerate(drawn[0].samples):
        new = random.multinomial(few, probs, (2_000, questions)) / few
        error, variance, _ = _brier(new, np.asarray([few]))
        for name, values in (("bias2", error - variance), ("variance", variance)):
            truth = values.mean(axis=1).std(ddof=1)
            found.append(
                seen_bias(
                    f"fewer samples: ± of {name.replace('2', '²')}, of the truth",
                    f"80 % right; {questions} questions, {few} of {count} samples",
                    np.asarray([getattr(of, f"{name}_spread")[i] for of in drawn]) / truth,
                    1.0,
                )
            )
    return found


SIMULATIONS: tuple[Simulation, ...] = (
    Simulation(
        "means",
        "Accuracy, and Brier's bias², variance and incoherence: 95 % intervals over questions.",
        means_and_incoherence,
        1_000,
    ),
    Simulation(
        "unparsed", "The same, where answers could not be parsed (uniform).", unparsed_answers, 1_000
    ),
    Simulation(
        "differences", "Differences of two models on the same questions, with their tests.", differences
    ),
    Simulation(
        "kl", "KL's corrected incoherence of one-hot answers, where it is shown.", kl_of_answers, 40
    ),
    Simulation("ensembles", "Ensembles of E samples: Brier's corrected values.", of_ensembles, 100),
    Simulation("efficiency", "What fewer samples would have given: the ±.", of_efficiency, 40),
)
