"""A sample of tests/torture: killed at some of its requests and writes of the state, the next run finishes the work."""
import os
import shutil
import sys
import unittest

import test_state
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

    def sample(self, verb, points=SAMPLE):
        total, failures = kill.sweep(self.killer, verb,
                                     lambda n: sorted({1 + (n - 1) * i // (points - 1) for i in range(points)}))
        self.assertGreater(total, 20)
        self.assertEqual(failures, [])

    def test_apply(self):
        self.sample("apply")

    def test_change(self):
        self.sample("change")

    def test_reset(self):
        self.sample("reset", 9)

    def test_destroy(self):
        self.sample("destroy")

    @unittest.skipUnless(test_state.POSTGRES and shutil.which("psql"), "missing: postgresql")
    def test_with_the_state_in_a_database(self):
        server = test_state.Postgres
        server.setUpClass()
        self.addCleanup(server.tearDownClass)
        self.killer.state = kill.Postgres(server)
        self.sample("apply", 4)


if __name__ == "__main__":
    unittest.main()
