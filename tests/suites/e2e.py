"""The operator on a real cluster, from `helm install` to the last trace gone, with an SMS through it at every turn.

Classes of one group run beside one another, each test in a namespace with a backend and handsets of its own; the next group
begins when all of them have ended. With KUBECONFIG set it runs on that cluster (SMSC_CLUSTER_HOST: this host's address
for its pods; SMSC_IMAGE_LOAD: how images get there); what needs more than an API server is then left out, and said so.

    e2e.py [CLASS[.TEST]]...        all, or some of it
"""

import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from e2e.admission import Admission
from e2e.backends import Deletion, FailingBackends
from e2e.changes import Changes, Drift
from e2e.exposure import Exposure, Locations
from e2e.installation import Installation, Sms
from e2e.operators import Operators, Uninstall
from e2e.traffic import Draining, Killing
from e2e.world import CLUSTER, close_world, open_world
from harness import begin, finish

GROUPS = [
    [Admission],
    [Installation],
    [Killing, Draining, FailingBackends, Changes, Drift, Deletion, Exposure, Sms, Locations],
    [Operators],
    [Uninstall],
]
AT_ONCE = 5


def main():
    begin()
    wanted = sys.argv[1:]
    open_world()
    try:
        results = []
        for group in GROUPS:
            with ThreadPoolExecutor(AT_ONCE) as beside:
                results += beside.map(lambda tests: run(tests, wanted), group)
        results = [result for result in results if result]
    finally:
        close_world()
    finish(results)


def run(tests, wanted):
    """Runs the tests of a class that are wanted: all where nothing is said. None where none is left."""
    lines = Lines(tests.__name__)
    suite = unittest.TestSuite()
    for test in unittest.defaultTestLoader.loadTestsFromTestCase(tests):
        needed = getattr(getattr(test, test._testMethodName), "needs", None)
        if wanted and not {tests.__name__, f"{tests.__name__}.{test._testMethodName}"} & set(wanted):
            continue
        if needed and not CLUSTER.ours:
            lines.write(f"left out: {test._testMethodName} needs {needed}\n")
            continue
        suite.addTest(test)
    if not suite.countTestCases():
        return None
    return unittest.TextTestRunner(stream=lines, verbosity=2, resultclass=Timed).run(suite)


class Timed(unittest.TextTestResult):
    """Says of each test how long it took."""

    def getDescription(self, test):  # noqa: N802 (the name is the library's)
        part = getattr(test, "_subDescription", str)()
        return f"{getattr(test, 'test_case', test)._testMethodName} {part}".rstrip()

    def startTest(self, test):  # noqa: N802
        self._began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):  # noqa: N802
        self.stream.write(f"({time.monotonic() - self._began:.1f} s) ")
        super().addSuccess(test)


class Lines:
    """Standard output for one of several that write at once: whole lines, with its name in front."""

    _lock = threading.Lock()

    def __init__(self, name):
        self._name, self._line = name, ""

    def write(self, text):
        *lines, self._line = (self._line + text).split("\n")
        with self._lock:
            for line in lines:
                print(f"{self._name}: {line}")

    def flush(self):
        """Lines come out when they end."""


if __name__ == "__main__":
    main()
