"""The package's public names: each is there, documented, and known to type checkers by the same place."""

import ast
import subprocess
import sys

import pytest
from places import ROOT

import hotmess_jax


@pytest.mark.parametrize("name", hotmess_jax.__all__)
def test_each_name_is_there_with_a_docstring_and_is_named_in_the_package_s(name):
    assert getattr(hotmess_jax, name).__doc__
    assert f"`{name}`" in hotmess_jax.__doc__


def test_type_checkers_are_told_the_same_places():
    tree = ast.parse((ROOT / "hotmess_jax" / "__init__.py").read_text())
    told = {alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
            for alias in node.names if node.module.startswith("hotmess_jax")}  # fmt: skip
    assert told == hotmess_jax._MODULES
    assert sorted(told) == sorted(hotmess_jax.__all__)


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'Swep'"):
        _ = hotmess_jax.Swep


def test_the_synthetic_half_imports_nothing_of_the_other_s():
    program = (
        "import sys, hotmess_jax as h; h.Sweep, h.SweepConfig, h.power_law; "
        "print(sorted({'polars', 'openai'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
