"""Where the project is, and real data, if they are here."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real data are not here")
