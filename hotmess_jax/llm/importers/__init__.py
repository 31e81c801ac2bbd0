"""Importers: the logs of other harnesses, as records."""

from hotmess_jax.llm.importers.imported import Imported
from hotmess_jax.llm.importers.inspect_logs import import_inspect
from hotmess_jax.llm.importers.lm_eval import import_lm_eval
from hotmess_jax.llm.importers.swe_bench import import_swe_bench

__all__ = ["Imported", "import_inspect", "import_lm_eval", "import_swe_bench"]
