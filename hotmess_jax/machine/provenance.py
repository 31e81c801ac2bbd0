"""Where a result comes from: versions, device, commit."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

PACKAGES = [
    "hotmess-jax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "tensorstore",
    "numpy",
    "scipy",
]


def provenance() -> dict[str, Any]:
    """Return versions, device and git commit of this process, as JSON values."""
    devices = jax.devices()
    return {
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
        "device": {
            "platform": devices[0].platform,
            "kind": devices[0].device_kind,
            "count": len(devices),
            "host": _processor(),
        },
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """Return the commit of the source tree, with "-dirty" where it was changed.

    None without git, and where the package lies inside a repository that is not its own.
    """
    root = Path(__file__).resolve().parents[2]
    try:
        commit, status, top, tracked = (
            subprocess.run(
                ["git", "-C", str(root), *command],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for command in (
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
                ["rev-parse", "--show-toplevel"],
                ["ls-files", "--", "hotmess_jax/machine/provenance.py"],
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if not tracked or Path(top).resolve() != root:
        return None
    return commit + ("-dirty" if status else "")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
