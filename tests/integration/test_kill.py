"""A sample of tests/torture: killed at some of its requests and writes of the state, the next run finishes the work."""
import os
import shutil
import sys
import unittest

from stacks import TOP

sys.path.insert(0, os.path.join(TOP, "tests", "torture"))
import kill  # noqa: E402

SAMPLE = 7


@unittest.skipIf(shutil.which("cc") is None, "missing: a C compiler")
@unittest.skipIf("detect_leaks" in os.environ.get("ASAN_OPTIONS", "") or "asan" in os.environ.get("DEPLOYER_BUILD", ""),
                 "missing: a build without sanitizers (they want to be loaded first)")
class Kill(unittest.TestCase):
    def setUp(self):
        self.killer = kill.Killer()
        self.addCleanup(self.killer.close)

    def sample(self, verb):
        total, failures = kill.sweep(self.killer, verb,
                                     lambda n: sorted({1 + (n - 1) * i // (SAMPLE - 1) for i in range(SAMPLE)}))
        self.assertGreater(total, 20)
        self.assertEqual(failures, [])

    def test_apply(self):
        self.sample("apply")

    def test_change(self):
        self.sample("change")

    def test_destroy(self):
        self.sample("destroy")


if __name__ == "__main__":
    unittest.main()
