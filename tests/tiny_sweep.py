"""A sweep of seconds, and where a test keeps it."""

TINY = ["--preset", "smoke", "--trajectories", "60", "--trajectory-steps", "32", "--train-steps", "20",
        "--checkpoint-every", "10", "--batch-size", "32", "--starts", "32", "--rollout-steps", "8",
        "--bootstrap", "50"]  # fmt: skip
# What the fixture `finished` was made with.
SAMPLED = [*TINY, "--temperature", "1"]


def places(folder):
    return ["--out", folder / "run", "--store", folder / "store"]
