"""A whole stack's life with its state in a blob or a database: killed in the middle, taken up by the next run, planned,
taken down. How often each is written stands in docs/state.md."""
import json
import os
import signal
import subprocess
import time
import unittest

import stacks
import support
import test_state
from fakes.proxy import Proxy
from stacks import DEPLOYER

# An apply of the Langfuse stack commits as often as its rounds do: what is announced together is written together.
COMMITS_MAX = 75


class Life(stacks.SandboxTest):
    """Subclasses say where the state is: `url`, `environment`."""
    environment = {}

    def command(self, verb, *args):
        return super().command(verb, *args, "--state", self.url)

    def run_cli(self, verb, *args, **more):
        return super().run_cli(verb, *args, env=self.environment, **more)

    def start_cli(self, verb, *args):
        return super().start_cli(verb, *args, env=self.environment)

    def pulled(self):
        done = subprocess.run([DEPLOYER, "state", "pull", ".", "--state", self.url], cwd=self.stack, capture_output=True, text=True,
                              timeout=60, env=stacks.clean_env(self.environment))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def writes(self):
        return [r for r in self.sandbox.requests() if r["method"] in ("PUT", "PATCH", "DELETE")]

    def kill_after(self, count):
        """kill -9 when the cloud has seen so many writes."""
        running = self.start_cli("apply", "--yes")
        end = time.time() + 60
        while len(self.writes()) < count and running.poll() is None and time.time() < end:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=30)
        self.assertEqual(running.returncode, -9)

    def life(self):
        self.kill_after(12)
        self.assertLess(len(self.writes()), 40)
        again = self.run_cli("apply", "--yes", "--lock-timeout", "40s")
        self.assert_no_change()
        created = [r["path"].lower() for r in self.writes() if r["status"] == 201]
        self.assertEqual(len(created), len(set(created)), again)
        state = self.pulled()
        self.assertEqual((state["intents"], {e["status"] for e in state["entries"].values()}), ({}, {"ready"}))
        self.run_cli("destroy", "--yes")
        self.assertEqual(self.sandbox.resources(), {})
        self.assertEqual(self.pulled()["entries"], {})


class File(stacks.SandboxTest):
    def test_how_often_it_is_written(self):
        self.apply()
        self.assertLess(self.state()["serial"], COMMITS_MAX)


class Blob(test_state.Azurite, Life):
    environment = {"AZURE_STORAGE_KEY": test_state.KEY}

    def setUp(self):
        Life.setUp(self)
        self.saves = 0
        proxy = Proxy(("127.0.0.1", self.port), self.count)
        proxy.__enter__()
        self.addCleanup(proxy.__exit__)
        self.url = "azblob://acct/states/%s.json?lease_s=15&endpoint=http://127.0.0.1:%d/acct" % (
            os.path.basename(self.dir), proxy.port)

    def count(self, request, forward):
        self.saves += request.is_save
        return forward()

    def test_life(self):
        self.life()

    def test_how_often_it_is_written(self):
        self.run_cli("apply", "--yes")
        self.assertLess(self.saves, COMMITS_MAX)
        self.assertEqual(self.saves, self.pulled()["serial"])


@unittest.skipUnless(test_state.POSTGRES and test_state.shutil.which("psql"), "missing: postgresql")
class Postgres(Life):
    @classmethod
    def setUpClass(cls):
        cls.server = test_state.Postgres
        cls.server.setUpClass()
        cls.addClassCleanup(cls.server.tearDownClass)

    def setUp(self):
        super().setUp()
        self.row = os.path.basename(self.dir)
        self.url = "postgres://owner@127.0.0.1:%d/postgres?state=%s" % (self.server.port, self.row)

    def test_life(self):
        self.life()

    def test_how_often_it_is_written(self):
        self.run_cli("apply", "--yes")
        self.assertLess(self.pulled()["serial"], COMMITS_MAX)


if __name__ == "__main__":
    unittest.main()
