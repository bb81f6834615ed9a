"""apply against the sandbox: all of it, outputs, failures, two at once, signals."""
import json
import os
import signal
import time
import unittest

from stacks import SandboxTest


class Apply(SandboxTest):
    def test_full_apply(self):
        result = self.apply()
        self.assertRegex(result.out, r"Done in .*: \d+ created")
        self.assertIn("create the public DNS record", result.out)
        self.assert_no_change()
        state = json.dumps(self.state())
        for secret in ("example-postgres-password", "0123456789abcdef0123456789abcdef"):
            self.assertNotIn(secret, state)
        self.assertEqual(self.state()["intents"], {})
        created = [r for r in self.sandbox.requests() if r["method"] == "PUT" and r["status"] == 201]
        self.assertEqual(len(created), len({r["path"] for r in created}))

    def test_json(self):
        result = self.apply("-o", "json").json()
        self.assertEqual(result["format_version"], 1)
        self.assertEqual({r["status"] for r in result["results"]}, {"done"})
        self.assertEqual(result["outputs"]["postgres.port"], 5432)
        self.assertEqual(result["outputs"]["postgres.url"], "(secret)")

    def test_again_changes_nothing(self):
        self.apply()
        before = len(self.sandbox.requests())
        result = self.apply()
        self.assertIn("nothing was changed", result.out)
        writes = [r for r in self.sandbox.requests()[before:] if r["method"] in ("PUT", "PATCH", "DELETE")]
        self.assertEqual(writes, [])

    def test_asks_without_yes(self):
        result = self.run_cli("apply", status=64)
        self.assertIn("--yes", result.err)
        self.assertEqual([r for r in self.sandbox.requests() if r["method"] == "PUT"], [])

    def test_outputs(self):
        self.apply()
        masked = self.run_cli("outputs", "-o", "json").json()
        self.assertEqual(masked["postgres.url"], "(secret)")
        shown = self.run_cli("outputs", "--reveal", "-o", "json").json()
        self.assertIn("example-postgres-password", shown["postgres.url"])
        dotenv = self.run_cli("outputs", "-o", "dotenv").out
        self.assertIn("POSTGRES_PORT=5432\n", dotenv)
        self.assertNotIn("example-postgres-password", self.run_cli("outputs").out)

    def test_status(self):
        self.assertIn("Nothing is owned", self.run_cli("status").out)
        self.apply()
        self.assertIn("0 not as they should be", self.run_cli("status").out)
        status = self.run_cli("status", "-o", "json").json()
        self.assertTrue(all(r["ok"] for r in status["resources"]))

    def test_target_is_remembered(self):
        self.apply()
        del_target = self.command("plan", "--detailed-exitcode")
        del del_target[3:5]
        import subprocess
        from stacks import clean_env
        done = subprocess.run(del_target, cwd=self.stack, env=clean_env(), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_import_after_a_lost_state(self):
        self.apply()
        os.rename(os.path.join(self.stack, ".deployer"), os.path.join(self.stack, "lost"))
        self.assertIn("belongs to another state", self.apply(status=73).err)
        self.assertIn("--allow-adopt", self.apply("--take-over", status=73).err)
        before = len(self.sandbox.requests())
        self.run_cli("import", "--take-over")
        writes = [r for r in self.sandbox.requests()[before:] if r["method"] in ("PUT", "PATCH", "DELETE")]
        self.assertEqual(writes, [])
        self.apply("--take-over")
        self.assert_no_change()


class SlowApply(SandboxTest):
    latency = "0.002"

    def test_two_at_once(self):
        first = self.start_cli("apply", "--yes")
        lock = os.path.join(self.stack, ".deployer", "langfuse.json.lock")
        for _ in range(200):
            if os.path.exists(lock) and os.path.getsize(lock) > 0:
                break
            time.sleep(0.01)
        second = self.run_cli("apply", "--yes", status=75)
        self.assertIn("lock", second.err)
        out, err = first.communicate(timeout=120)
        self.assertEqual(first.returncode, 0, (out, err))
        self.assert_no_change()

    def signalled(self, signum, status):
        process = self.start_cli("apply", "--yes")
        while process.poll() is None and len([r for r in self.sandbox.requests() if r["method"] == "PUT"]) < 8:
            time.sleep(0.01)
        asked = time.time()
        process.send_signal(signum)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, status, (out, err))
        self.assertLess(time.time() - asked, 5)
        self.assertIn("not finished", out.decode())
        self.apply()
        self.assert_no_change()
        created = [r for r in self.sandbox.requests() if r["method"] == "PUT" and r["status"] == 201]
        self.assertEqual(len(created), len({r["path"] for r in created}))

    def test_interrupt(self):
        self.signalled(signal.SIGINT, 130)

    def test_terminate(self):
        self.signalled(signal.SIGTERM, 143)


if __name__ == "__main__":
    unittest.main()
