"""Independent pieces of work, several at once: much of what is measured keeps one core busy."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import jax

Item = TypeVar("Item")


def in_threads(
    work: Callable[[Item], object],
    items: Sequence[Item],
    on_done: Callable[[int], None] = lambda done: None,
) -> None:
    """Do some work for each item, as many at once as this process has devices.

    Args:
        work: of an item; it may use JAX.
        items: of the work.
        on_done: told, in this thread, how many items are done.

    Raises:
        Exception: the first that `work` raised; items that had not begun by then are left.
    """
    with ThreadPoolExecutor(jax.local_device_count()) as pool:
        begun = [pool.submit(work, item) for item in items]
        try:
            for done, future in enumerate(as_completed(begun), start=1):
                future.result()
                on_done(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
