"""destroy against the sandbox: all of it, and nothing else."""
import unittest

from stacks import SandboxTest


class Destroy(SandboxTest):
    def test_leaves_nothing(self):
        self.apply()
        result = self.run_cli("destroy", "--yes")
        self.assertIn("Data that goes for good", result.out)
        self.assertIn("soft-deleted", result.out)
        self.assertEqual(self.sandbox.resources(), {})
        self.assertEqual(self.state()["entries"], {})
        self.assertEqual(self.state()["intents"], {})
        self.assertIn("nothing was changed", self.run_cli("destroy", "--yes").out)

    def test_asks(self):
        self.apply()
        self.run_cli("destroy", status=64)
        self.assert_no_change()

    def test_apply_again(self):
        self.apply()
        self.run_cli("destroy", "--yes")
        # The soft-deleted workspace of that name is taken back by the PUT.
        self.apply()
        self.assert_no_change()


if __name__ == "__main__":
    unittest.main()
