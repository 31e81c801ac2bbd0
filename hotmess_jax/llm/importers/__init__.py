"""Importers: the logs of other harnesses, as records."""

from hotmess_jax.llm.importers.imported import Imported
from hotmess_jax.llm.importers.inspect_logs import import_inspect
from hotmess_jax.llm.importers.lm_eval import import_lm_eval
from hotmess_jax.llm.importers.swe_bench import import_swe_bench
from hotmess_jax.llm.importers.table import import_table
from hotmess_jax.llm.importers.table_look import look
from hotmess_jax.llm.importers.table_maps import MAPS, TableMap
from hotmess_jax.llm.importers.tau_bench import import_tau_bench

__all__ = [
    "MAPS",
    "Imported",
    "TableMap",
    "import_inspect",
    "import_lm_eval",
    "import_swe_bench",
    "import_table",
    "import_tau_bench",
    "look",
]
