"""A sweep of seconds, and where a test keeps it."""

import dataclasses

TINY = ["--preset", "smoke", "--trajectories", "60", "--trajectory-steps", "32", "--train-steps", "20",
        "--checkpoint-every", "10", "--batch-size", "32", "--starts", "32", "--rollout-steps", "8",
        "--bootstrap", "50"]  # fmt: skip
# What the fixture `finished` was made with.
SAMPLED = [*TINY, "--temperature", "1"]


def changed(config, **settings):
    """A sweep's settings with others, each by its own name, whichever group it stands in."""
    groups = {}
    for name in [field.name for field in dataclasses.fields(config)]:
        group = getattr(config, name)
        if dataclasses.is_dataclass(group):
            own = {
                f.name: settings.pop(f.name) for f in dataclasses.fields(group) if f.name in settings
            }
            groups[name] = dataclasses.replace(group, **own)
    return dataclasses.replace(config, **groups, **settings)


def places(folder):
    return ["--out", folder / "run", "--store", folder / "store"]
