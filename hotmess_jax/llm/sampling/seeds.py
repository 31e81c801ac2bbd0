"""Seeds derived from what they are for, so that no two requests share one."""

import hashlib
import json


def derived_seed(*parts: str | int) -> int:
    """Return a seed below 2⁵³, exact in JSON, that is a hash of all parts in their order."""
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 11
