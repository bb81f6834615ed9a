"""Azure's JavaScript SDKs, unmodified, against the sandbox: ../shared/clients/sdk-suite.mjs, 72 checks."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import ROOT, Sandbox

SUITE = os.environ.get("SDK_SUITE") or os.path.join(os.path.dirname(ROOT), "shared", "clients", "sdk-suite.mjs")
PACKAGES = ["@azure/identity@4.13.1", "@azure/arm-appcontainers@3.0.0", "@azure/arm-resources@7.0.0", "@azure/arm-network@36.0.0",
            "@azure/arm-privatedns@3.2.0", "@azure/arm-redisenterprisecache@2.2.0", "@azure/arm-postgresql-flexible@9.0.0",
            "@azure/arm-storage@20.0.0", "@azure/arm-monitor@7.0.0"]
CHECKS = 72


def find_suite():
    """Worktrees stand one level deeper."""
    for up in ("..", "../.."):
        path = os.path.normpath(os.path.join(ROOT, up, "shared", "clients", "sdk-suite.mjs"))
        if os.path.exists(path):
            return path
    return SUITE


@unittest.skipUnless(shutil.which("npm") and shutil.which("node"), "missing: npm and node")
@unittest.skipUnless(os.path.exists(find_suite()), "missing: ../shared/clients")
class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        cls.modules = os.environ.get("SDK_MODULES") or os.path.join(cache, "deployer-tests", "sdk")
        if not os.path.isdir(os.path.join(cls.modules, "node_modules", "@azure", "arm-monitor")):
            os.makedirs(cls.modules, exist_ok=True)
            done = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES], cwd=cls.modules,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
            if done.returncode != 0:
                raise unittest.SkipTest("missing: the npm packages (%s)" % done.stdout.strip().splitlines()[-1:])

    def run_suite(self, host, latency):
        with Sandbox(latency=latency) as s:
            with open(s.info["client_secret"]) as f:
                secret = f.read()
            base = "https://%s:%d" % (host, s.port)
            done = subprocess.run(["node", find_suite(), base, s.info["tenant"], s.info["client_id"], secret, s.info["ca"], s.info["subscription"]],
                                  cwd=self.modules, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
            failed = re.findall(r"^not ok .*\n(?:  .*\n)*", done.stdout, re.M)
            self.assertIn("# %d passed, 0 failed, 0 skipped" % CHECKS, done.stdout, "".join(failed))
            self.assertEqual(done.returncode, 0)

    def test_localhost(self):
        self.run_suite("localhost", 0.002)

    def test_address_and_no_latency(self):
        self.run_suite("127.0.0.1", 0)


if __name__ == "__main__":
    unittest.main()
