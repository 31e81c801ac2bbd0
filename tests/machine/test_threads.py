import threading
import time

import jax
import pytest

from hotmess_jax.machine.threads import in_threads


def test_every_item_is_worked_on_once_and_as_many_at_once_as_there_are_devices():
    meet = threading.Barrier(
        jax.local_device_count(), timeout=10
    )  # breaks unless all are there at once
    worked, told = [], []

    def work(item):
        meet.wait()
        worked.append(item)

    items = range(2 * jax.local_device_count())
    in_threads(work, items, told.append)
    assert sorted(worked) == list(items)
    assert told == [item + 1 for item in items]


def test_what_goes_wrong_in_one_is_raised_and_what_had_not_begun_is_left():
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            raise ValueError("item 0")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="item 0"):
        in_threads(work, range(200))
    assert len(begun) < 200
