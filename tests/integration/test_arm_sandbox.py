"""cloud/arm against the sandbox: login by secret and certificate, operations, and ARM's rate limit."""
import json
import os
import subprocess
import tempfile
import time
import unittest

from fakes.arm import BUILD, clean_env, run

VNET = {"type": "Microsoft.Network/virtualNetworks", "api_version": "2025-05-01", "create_min": 0.2}
ZONE = {"type": "Microsoft.Network/privateDnsZones", "api_version": "2024-06-01"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "scope": "subscription", "group": True, "api_version": "2025-04-01"}
RECORD = {"type": "Microsoft.Network/privateDnsZones/A", "scope": "parent", "api_version": "2024-06-01"}


class Sandbox(unittest.TestCase):
    def start(self, faults=None):
        folder = tempfile.TemporaryDirectory(prefix="arm-sandbox-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        args = [os.path.join(BUILD, "deployer-sandbox"), "--dir", self.dir, "--services", "none", "--latency", "0.01"]
        if faults is not None:
            path = os.path.join(self.dir, "faults.yaml")
            with open(path, "w") as f:
                f.write(faults)
            args += ["--faults", path]
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait(timeout=20)

        self.addCleanup(stop)
        ready = os.path.join(self.dir, "sandbox.json")
        for _ in range(200):
            if os.path.exists(ready):
                break
            self.assertIsNone(process.poll(), "deployer-sandbox ended")
            time.sleep(0.05)
        with open(ready) as f:
            self.info = json.load(f)
        self.group = "/subscriptions/%s/resourceGroups/rg-test" % self.info["subscription"]

    def run_ops(self, ops, env=None, sandbox=True, **more):
        more.setdefault("http", {"ca": self.info["ca"]})
        if sandbox:
            more["sandbox"] = self.dir
        r = run(None, ops, env=env or clean_env(), timeout=120, time_ms=110000, **more)
        for one in r.results:
            self.assertNotIn("error", one, one.get("error"))
        return r

    def put(self, kind, tail, **body):
        return {"op": "write", "kind": kind, "id": self.group + tail, "body": body, "time_ms": 100000}

    def make_group(self):
        return self.put(GROUP, "", location="japaneast")

    def test_a_life(self):
        self.start()
        net = "/providers/Microsoft.Network/virtualNetworks/vnet1"
        body = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
        r = self.run_ops([
            self.make_group(), self.put(VNET, net, location="japaneast", properties=body),
            {"op": "read", "kind": VNET, "id": self.group + net}, {"op": "list", "kind": VNET, "id": self.group + net},
            {"op": "remove", "kind": VNET, "id": self.group + net}, {"op": "read", "kind": VNET, "id": self.group + net},
            {"op": "remove", "kind": GROUP, "id": self.group}, {"op": "read", "kind": GROUP, "id": self.group},
        ], serial=True)
        self.assertEqual(r.results[1]["document"], r.results[2]["document"])
        self.assertEqual(r.results[3]["document"], [r.results[2]["document"]])
        self.assertTrue(r.results[5]["is_absent"] and r.results[7]["is_absent"])

    def test_certificate(self):
        self.start()
        env = clean_env(AZURE_TENANT_ID=self.info["tenant"], AZURE_CLIENT_ID=self.info["client_id"],
                        AZURE_CLIENT_CERTIFICATE_PATH=self.info["client_certificate"])
        r = self.run_ops([{"op": "token", "kind": {}}], env=env, sandbox=False, options={"endpoint": self.info["endpoint"]})
        self.assertEqual(r.results[0]["who"]["method"], "client-certificate")

    def test_a_thousand_records_without_a_429(self):
        """ARM's bucket of 200 writes, ten times as fast (100 a second instead of 10)."""
        self.start("settings:\n  buckets: {reads: [250, 250], writes: [200, 100], deletes: [200, 100]}\n")
        zone = "/providers/Microsoft.Network/privateDnsZones/a.example"
        self.run_ops([self.make_group(), self.put(ZONE, zone, location="global")], serial=True)
        time.sleep(0.2)
        record = {"ttl": 60, "aRecords": [{"ipv4Address": "10.0.0.1"}]}
        r = self.run_ops([self.put(RECORD, "%s/A/r%d" % (zone, i), properties=record) for i in range(1000)], workers=10,
                         options={"pace_scale": 10})
        self.assertEqual([q["url"] for q in r.requests if q["status"] == 429], [])
        self.assertEqual(sum(q["method"] == "PUT" for q in r.requests), 1000)
        print("1,000 records in %d ms; the bucket allows 8,000" % r.elapsed_ms)
        if "asan" not in BUILD:  # a sandbox under the sanitizer is slower than the bucket
            self.assertLess(r.elapsed_ms, 8000 * 1.05)


if __name__ == "__main__":
    unittest.main()
