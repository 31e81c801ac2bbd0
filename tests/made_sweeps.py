"""Documents of sweeps whose truth is known, as sweep.json holds them."""

import numpy as np

from hotmess_jax.synthetic.study.sweep_document import from_document as read  # noqa: F401

SIZES = ("3k", "6k", "25k", "83k")
PARAMETERS = {"3k": 3_808, "6k": 6_912, "25k": 26_112, "83k": 85_344, "200k": 200_448}
STEPS = 20
PARTS = ("bias2", "variance", "error", "incoherence")
CONFIG = {
    "preset": "quick",
    "sizes": list(SIZES),
    "replicates": 1,
    "replicate_varies": "problem",
    "seed": 0,
    "dimension": 2,
    "condition_number": 50.0,
    "spectrum": "geometric",
    "minimum_scale": 0.5,
    "precision": 3,
    "teacher": "steepest",
    "step_norm": 0.05,
    "training_start_distribution": "uniform",
    "training_start_offset": 0.0,
    "training_start_scale": 6.0,
    "rollout_start_distribution": "offset",
    "rollout_start_offset": 3.0,
    "rollout_start_scale": 1.0,
    "trajectories": 4_000,
    "trajectory_steps": 512,
    "holdout": 0.1,
    "batch_size": 128,
    "train_steps": 4_000,
    "learning_rate": 5e-3,
    "learning_rate_exponent": 0.5,
    "warmup_steps": 100,
    "weight_decay": 1e-4,
    "clip_norm": 1.0,
    "loss_on": "update",
    "compute": "float32",
    "starts": 256,
    "rollout_steps": STEPS,
    "temperature": 0.0,
    "samples": 8,
    "bootstrap": 100,
}
PROVENANCE = {
    "device": {"platform": "cpu", "kind": "cpu", "count": 2, "host": "made"},
    "versions": {"jax": "0", "python": "3"},
    "git_commit": "c0ffee",
    "seconds": 1.0,
}
# Its value aside.
FLOOR = {
    "uniform": 0.1, "se": 1e-3, "low": 0.0, "high": 0.2, "states": 12, "left_out": 0, "counted": 9,
    "points": 64, "by_token": [0.0] * 19,
}  # fmt: skip


def curves(bias2, variance, start=(9.0, 1.0)):
    """Curves that fall from the start to these values, geometrically."""
    parts = {
        name: np.geomspace(first, last, STEPS + 1).tolist()
        for name, first, last in (("bias2", start[0], bias2), ("variance", start[1], variance))
    }
    total = np.add(parts["bias2"], parts["variance"])
    split = {
        **parts,
        "error": total.tolist(),
        "incoherence": (parts["variance"] / total).tolist(),
    }
    return split | {
        "corrected": {name: split[name] for name in ("bias2", "variance", "incoherence")},
        "directions": {
            name: [[0.2 * v for v in values], [0.8 * v for v in values]]
            for name, values in parts.items()
        },
    }


def final(curves, strayed):
    """The last step of curves, as sweep.json has it."""
    last = {name: curves[name][-1] for name in PARTS}
    rise = curves["incoherence"][-1] - curves["incoherence"][0]
    return last | {
        "corrected": {name: values[-1] for name, values in curves["corrected"].items()},
        "rise": rise,
        "plateau": float(np.mean(curves["incoherence"][-2:])),
        **dict.fromkeys(f"{name}_ci95" for name in (*PARTS, "rise")),
        "strayed": strayed,
        "worst_percent_share": 0.1,
        "median_error": last["error"] / 3,
    }


def made_sweep(
    draws=3,
    sizes=SIZES,
    exponents=(1.5, 0.7),
    tau=0.0,
    noise=0.0,
    loss=(0.15, 0.0),
    floor=True,
    replicates=1,
    seed=0,
    **config,
):
    """A sweep of schema 2 whose quantities follow planted laws.

    Args:
        draws: of the problem.
        sizes: by name.
        exponents: of bias² and of variance.
        tau: standard deviation of exponents between draws.
        noise: standard deviation of each model's logarithms about its law.
        loss: its exponent and its floor, the law being 1 at the smallest size.
        floor: whether the floor is in the document.
        replicates: of each size within each draw.
        seed: of the sweep.
        config: other settings.
    """
    rng = np.random.default_rng(seed + 1)
    least = PARAMETERS[sizes[0]]
    problems, models = [], []
    for draw in range(draws):
        own = [exponent + tau * rng.normal() for exponent in exponents]
        teacher = curves(1e-7, 5e-4 * np.exp(0.1 * rng.normal()))
        teacher |= {"final": final(teacher, 0.0)}
        angle = rng.uniform(0, np.pi)
        Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        problems.append(
            {
                "A": (Q * [0.02, 1.0] @ Q.T).tolist(),
                "b": rng.normal(0, 0.5, 2).tolist(),
                "eigenvalues": [0.02, 1.0],
                "teacher": teacher,
                "codec_teacher": teacher,
                **({"loss_floor": FLOOR | {"value": loss[1]}} if floor else {}),
            }
        )
        for size in sizes:
            n = PARAMETERS[size] / least
            for replicate in range(replicates):
                bias2, variance = (
                    0.05 * n**-k * np.exp(noise * rng.normal() + np.log(scale))
                    for k, scale in zip(own, (1.0, 2.0), strict=True)
                )
                split = curves(bias2, variance)
                last = final(split, min(1.0, 0.3 * n**-0.5))
                models.append(
                    {
                        "size": size,
                        "parameters": PARAMETERS[size],
                        "replicate": draw * replicates + replicate,
                        "problem": draw,
                        "train_steps": 4_000,
                        "learning_rate": 5e-3,
                        "git_commit": "c0ffee",
                        "validation_loss": loss[1] + n ** -loss[0] * np.exp(0.1 * noise * rng.normal()),
                        "validation_loss_all": 2.0 + loss[1] + n ** -loss[0],
                        **split,
                        "final": last
                        | {f"{k}_ci95": [0.9 * last[k], 1.1 * last[k]]
                           for k in ("bias2", "variance", "error", "rise")}
                        | {"incoherence_ci95": [0.9 * last["incoherence"], last["incoherence"]]},
                        "saturated": 0,
                        "seconds": {"train": 1.0, "rollout": 1.0},
                    }
                )  # fmt: skip
    first = problems[0]
    order = {size: place for place, size in enumerate(sizes)}
    return {
        "schema": 2,
        "config": CONFIG
        | {"sizes": list(sizes), "seed": seed, "replicates": draws * replicates}
        | config,
        "provenance": PROVENANCE,
        "problem": {name: first[name] for name in ("A", "b", "eigenvalues")},
        "teacher": first["teacher"],
        "codec_teacher": first["codec_teacher"],
        "problems": problems,
        "models": sorted(models, key=lambda m: (order[m["size"]], m["replicate"])),
        "failures": [],
    }


def without(sweep, size, problem):
    """The same sweep, one of whose models failed."""

    def gone(model):
        return (model["size"], model["problem"]) == (size, problem)

    return sweep | {
        "models": [model for model in sweep["models"] if not gone(model)],
        "failures": [
            {"size": size, "replicate": model["replicate"], "problem": problem, "git_commit": "c0ffee",
             "failed": {"step": 3, "reason": "the loss was not finite at step 3"}}
            for model in sweep["models"] if gone(model)
        ],
    }  # fmt: skip
