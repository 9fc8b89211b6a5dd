"""pytest tests/unit/test_garbage.py"""

import subprocess
import sys

# In a process of its own: what it changes is for all of one.
RUN = """
import gc
from querygist.api import garbage

class Cycle:
    def __init__(self):
        self.own = self

collected = []
gc.callbacks.append(lambda phase, info: collected.append(info["generation"]) if phase == "start" else None)
now = [0.0]
garbage.time.monotonic = lambda: now[0]
collector = garbage.GarbageCollector()
del collected[:]
kept = [Cycle() for _ in range(1_000_000)]
print("full, of itself:", 2 in collected)
for at, idle in ((5, True), (11, False), (11, True), (12, True), (320, False)):
    now[0] = at
    del collected[:]
    collector.collect(idle=idle)
    print(at, idle, collected)
"""


def test_full_collections_wait_until_nothing_is_in_hand() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "full, of itself: False",
        "5 True []",
        "11 False []",
        "11 True [2]",
        "12 True []",
        "320 False [2]",
    ]
