"""verify on a stack with real services: silent when all is well, and the name of what is not."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import stack_bed
from fakes.cutter import Cutter
from fakes.dns import Dns
from stack_bed import by_name, ids

ENDS_IN = ".azure.com"


@unittest.skipIf(stack_bed.missing(), stack_bed.missing() or "")
class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bed = stack_bed.shared()

    def test_healthy_is_silent(self):
        status, document = self.bed.verify()
        self.assertEqual(status, 0, json.dumps(document["summary"]))
        self.assertEqual(document["findings"], [])
        checks = by_name(document)
        self.assertEqual({c["status"] for c in checks.values()}, {"pass"}, {n: c["status"] for n, c in checks.items()})
        for name in ("postgres.login", "redis.login", "clickhouse.native", "langfuse.web"):
            self.assertIn(name, checks)
        # The old server of the distribution is no finding here: the image's tag is what counts.
        self.assertEqual({c["evidence"]["stack"]["target"] for c in checks.values()}, {"sandbox"})
        self.assertEqual(checks["gateway.backend"]["evidence"]["arm"]["backend_health"], ["Healthy"])

    # ---- the four incidents of the stack's history ----

    def test_login_refused_by_clickhouse(self):
        status, document = self.bed.verify(env={"CLICKHOUSE_PASSWORD": "another-one"})
        self.assertEqual((status, ids(document)), (1, ["CH-001"]))
        self.assertEqual(document["findings"][0]["checks"], ["clickhouse.native", "clickhouse.http"])
        self.assertNotIn("another-one", json.dumps(document))

    def test_certificate_not_for_the_private_address(self):
        _, document = self.bed.verify("--only", "redis.login")
        address = by_name(document)["redis.login"]["evidence"]["tcp"]["address"]
        status, document = self.bed.probe("rediss://%s:10000" % address)
        self.assertEqual((status, ids(document)[0]), (1, "TLS-001"))
        self.assertIn(address, document["findings"][0]["cause"])

    def test_closed_after_a_good_handshake(self):
        host = self.bed.outputs()["redis.host"]
        _, document = self.bed.verify("--only", "redis.login")
        tcp = by_name(document)["redis.login"]["evidence"]["tcp"]
        with Cutter((tcp["mapped_address"], tcp.get("mapped_port", tcp["port"]))) as cutter:
            rule = "%s/32=127.0.0.1/32,:10000=:%d" % (tcp["address"], cutter.port)
            status, document = self.bed.verify("--only", "redis.login", "--address-map", rule)
            self.assertGreater(cutter.cut, 0)
        self.assertEqual((status, ids(document)), (1, ["RED-002"]), json.dumps(document["findings"]))
        self.assertIn(host, document["findings"][0]["cause"])
        self.assertEqual(by_name(document)["redis.login"]["evidence"]["tls"]["handshake"], "ok")

    def test_database_url_against_its_parts(self):
        path = os.path.join(self.bed.folder, "app.env")
        with open(path, "w") as f:
            f.write("DATABASE_URL=postgresql://langfuse:secret-of-app@one.example:5432/langfuse\n"
                    "DB_HOST=two.example\nDB_USER=langfuse\nDB_PASSWORD=secret-of-app\nDB_NAME=langfuse\n")
        with Dns("nobody.example") as dns:
            done = self.bed.run("verify", "--env-file", path, "--resolver", dns.server, "--timeout", "2s", "-o", "json")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        finding = {f["runbook"]: f for f in document["findings"]}["PG-013"]
        self.assertIn("DATABASE_URL and DB_HOST name another host", finding["cause"])
        evidence = [c["evidence"]["env"] for c in document["checks"] if "env" in c.get("evidence", {})]
        self.assertTrue({"DATABASE_URL", "DB_HOST"} & {e["variable"] for e in evidence}, evidence)
        self.assertNotIn("secret-of-app", done.stdout + done.stderr)

    # ---- outside of the network ----

    def outside(self, *args):
        with Dns("nobody.example") as dns:
            return self.bed.verify("--resolver", dns.server, "--address-map", "none", *args)

    def test_outside_nothing_private_fails(self):
        status, document = self.outside()
        self.assertEqual((status, document["findings"]), (0, []))
        for name, check in by_name(document).items():
            if name == "gateway.backend":  # the control plane answers everybody
                self.assertEqual(check["status"], "pass")
                continue
            self.assertEqual(check["status"], "skip", name)
            self.assertTrue(check["reason"].startswith("not reachable from here"), check["reason"])
        arm = by_name(document)["redis.login"]["evidence"]["arm"]
        self.assertEqual((arm["zone_exists"], arm["zone_linked"], arm["zone_has_record"]), (True, True, True))
        self.assertEqual((arm["private_endpoint_state"], arm["access_keys_enabled"]), ("Approved", True))
        self.assertEqual(by_name(document)["redis.login"]["evidence"]["net"]["allowed"], True)
        arm = by_name(document)["langfuse.web"]["evidence"]["arm"]
        self.assertEqual((arm["latest_is_ready"], arm["revision"]["running_state"]), (True, "Running"))

    def test_outside_says_what_is_needed(self):
        with Dns("nobody.example") as dns:
            done = self.bed.run("verify", "stack.yaml", *self.bed.on(), "--resolver", dns.server, "--address-map", "none")
        self.assertEqual(done.returncode, 0)
        self.assertIn("inside of the network vnet-langfuse", " ".join(done.stdout.split()))

    def test_require_all_makes_a_skip_a_failure(self):
        status, document = self.outside("--require-all", "--only", "redis")
        self.assertEqual((status, document["findings"]), (1, []))
        self.assertEqual({c["status"] for c in document["checks"]}, {"fail"})

    # ---- what the control plane knows ----

    def test_a_denying_rule_is_named_from_outside(self):
        with self.bed.closed_port("10000"):
            status, document = self.outside("--only", "redis", "--only", "postgres")
        self.assertEqual((status, ids(document)), (1, ["NET-001"]), json.dumps(document["findings"]))
        finding = document["findings"][0]
        self.assertIn("DenyOthers", finding["cause"])
        self.assertEqual(finding["service"], "redis")
        self.assertEqual(by_name(document)["redis.login"]["evidence"]["net"]["denied_by"], "DenyOthers")

    def test_a_missing_link_is_named_from_outside(self):
        path = "Microsoft.Network/privateDnsZones/privatelink.redis.azure.net/virtualNetworkLinks/vnet-langfuse"
        link = self.bed.arm("GET", path, "2024-06-01")
        self.bed.arm("DELETE", path, "2024-06-01")
        try:
            status, document = self.outside("--only", "redis")
        finally:
            self.bed.arm("PUT", path, "2024-06-01", {"location": "global", "properties": {
                k: link["properties"][k] for k in ("registrationEnabled", "virtualNetwork")}, "tags": link.get("tags", {})})
        self.assertEqual((status, ids(document)), (1, ["DNS-003"]), json.dumps(document["findings"]))
        self.assertIs(by_name(document)["redis.dns"]["evidence"]["arm"]["zone_linked"], False)

    def test_access_keys_switched_off(self):
        path, version = "Microsoft.Cache/redisEnterprise/%s/databases/default" % self.bed.outputs()["redis.host"].split(".")[0], "2025-07-01"
        database = self.bed.arm("GET", path, version)
        keep = ("clientProtocol", "port", "clusteringPolicy", "evictionPolicy")

        def set_keys(word):
            self.bed.arm("PUT", path, version, {"properties": {
                **{k: database["properties"][k] for k in keep}, "accessKeysAuthentication": word}})
            self.bed.until(lambda: self.bed.arm("GET", path, version)["properties"]["provisioningState"] == "Succeeded")
        set_keys("Disabled")
        try:
            status, document = self.bed.verify("--only", "redis.login")
        finally:
            set_keys("Enabled")
        self.assertEqual((status, ids(document)), (1, ["RED-018"]), json.dumps(document["findings"]))
        self.assertIs(by_name(document)["redis.login"]["evidence"]["arm"]["access_keys_enabled"], False)

    # ---- what the gateway says of its backend ----

    GATEWAY, GATEWAY_VERSION = "Microsoft.Network/applicationGateways/agw-langfuse", "2025-05-01"

    def backend(self):
        status, document = self.bed.verify("--only", "gateway.backend")
        arm = by_name(document)["gateway.backend"]["evidence"]["arm"]
        return status, ids(document), arm["backend_health"], document["findings"]

    def test_gateway_without_the_zone_of_its_backend(self):
        domain = self.bed.outputs()["containers.default_domain"]
        path = "Microsoft.Network/privateDnsZones/%s/virtualNetworkLinks/vnet-langfuse" % domain
        link = self.bed.arm("GET", path, "2024-06-01")
        self.bed.arm("DELETE", path, "2024-06-01")
        try:
            status, found, health, findings = self.backend()
        finally:
            self.bed.arm("PUT", path, "2024-06-01", {"location": "global", "properties": {
                k: link["properties"][k] for k in ("registrationEnabled", "virtualNetwork")}, "tags": link.get("tags", {})})
        self.assertEqual((status, found, health), (1, ["AGW-001"], ["Unknown"]), findings)
        self.assertIn("langfuse-web." + domain, findings[0]["cause"])
        self.assertEqual(self.backend()[:3], (0, [], ["Healthy"]))

    def test_gateway_with_a_backend_that_is_down(self):
        app = "Microsoft.App/containerApps/langfuse-web"
        revision = app + "/revisions/" + self.bed.arm("GET", app, "2026-01-01")["properties"]["latestRevisionName"]
        self.bed.arm("POST", revision + "/deactivate", "2026-01-01")
        try:
            self.bed.until(lambda: self.backend()[2] == ["Unhealthy"])
            status, found, health, findings = self.backend()
        finally:
            self.bed.arm("POST", revision + "/activate", "2026-01-01")
            self.bed.until(lambda: self.backend()[2] == ["Healthy"])
        self.assertEqual((status, found, health), (1, ["AGW-002"], ["Unhealthy"]), findings)
        self.assertIn("agw-langfuse", findings[0]["cause"])
        self.assertIn("Received:503", findings[0]["cause"])

    def test_gateway_with_a_host_that_nobody_has(self):
        gateway = self.bed.arm("GET", self.GATEWAY, self.GATEWAY_VERSION)
        before = json.dumps(gateway)
        for pool in gateway["properties"]["backendAddressPools"]:
            for address in pool["properties"]["backendAddresses"]:
                address["fqdn"] = address["fqdn"].replace("langfuse-web.", "nobody.")
        self.bed.arm("PUT", self.GATEWAY, self.GATEWAY_VERSION, gateway)
        try:
            status, found, health, findings = self.backend()
        finally:
            self.bed.arm("PUT", self.GATEWAY, self.GATEWAY_VERSION, json.loads(before))
        self.assertEqual((status, found, health), (1, ["AGW-003"], ["Unhealthy"]), findings)

    # ---- options ----

    def test_only(self):
        rows = [(["redis.login"], ["redis.login"]), (["postgres"], ["postgres.dns", "postgres.login"]),
                (["redis.dns", "blob.dns"], ["redis.dns", "blob.dns"])]
        for only, wanted in rows:
            _, document = self.bed.verify(*[a for name in only for a in ("--only", name)])
            self.assertEqual([c["name"] for c in document["checks"]], wanted)
        done = self.bed.run("verify", "stack.yaml", *self.bed.on(), "--only", "reddis")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("redis", done.stderr)

    def test_fail_on(self):
        rows = [("error", {"error": 1, "warn": 1, "note": 1}), ("warning", {"error": 0, "warn": 1, "note": 1}),
                ("note", {"error": 0, "warn": 0, "note": 1})]
        for severity, wanted in rows:
            catalog = self.catalog_with("XX-001", severity, "{fact: redis.ping, is: true}")
            for limit, status in wanted.items():
                with self.subTest(severity=severity, limit=limit):
                    got, document = self.bed.verify("--only", "redis.login", "--catalog", catalog, "--fail-on", limit)
                    self.assertEqual(ids(document), ["XX-001"])
                    self.assertEqual(got, status)
        done = self.bed.run("verify", "stack.yaml", *self.bed.on(), "--only", "redis.dns", "--fail-on", "fatal")
        self.assertEqual(done.returncode, 64, done.stderr)

    def catalog_with(self, name, severity, condition):
        """A folder with one runbook of our own."""
        folder = os.path.join(self.bed.folder, "catalog-" + severity)
        os.makedirs(os.path.join(folder, "runbooks"), exist_ok=True)
        with open(os.path.join(folder, "runbooks", name + "-ours.md"), "w") as f:
            f.write("---\nformat: 1\nid: %s\ntitle: ours\narea: redis\ncertainty: certain\nseverity: %s\nwhen:\n  - %s\ncause: c\nfix: none\n---\n%s" % (
                name, severity, condition, "".join("## %s\nx\n\n" % s for s in ("Symptom", "Cause", "Fix", "Prevent", "Evidence"))))
        return folder

    def test_timeout_bounds_each_check(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            _, document = self.bed.verify("--only", "redis.login")
            address = by_name(document)["redis.login"]["evidence"]["tcp"]["address"]
            rule = "%s/32=127.0.0.1/32,:10000=:%d" % (address, silent.getsockname()[1])
            status, document = self.bed.verify("--only", "redis.login", "--timeout", "1s", "--address-map", rule)
        check = by_name(document)["redis.login"]
        self.assertEqual((status, check["status"]), (1, "fail"))
        self.assertLess(check["duration_ms"], 3000)

    # ---- a signal ----

    def ends_in_time(self, number, *args):
        """The signal comes while nobody answers; exit status, and that no finding was made of it."""
        process = subprocess.Popen([stack_bed.DEPLOYER, *args], cwd=self.bed.folder, env=self.bed.env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            time.sleep(1.5)
            self.assertIsNone(process.poll(), "it ended before the signal")
            sent = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        self.assertLess(time.monotonic() - sent, 5, err)
        self.assertEqual((process.returncode, out), (128 + number, ""), err)

    def test_a_signal_ends_it_within_five_seconds(self):
        _, document = self.bed.verify()
        seen = [c["evidence"]["tcp"] for c in document["checks"] if "tcp" in c["evidence"]]
        stack = ["verify", "stack.yaml", *self.bed.on(), "--timeout", "60s", "-o", "json"]
        with socket.create_server(("127.0.0.1", 0), backlog=50) as silent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            port, resolver = silent.getsockname()[1], "127.0.0.1:%d" % deaf.getsockname()[1]
            rules = {"%s/32=127.0.0.1/32" % t["address"] for t in seen} | {":%d=:%d" % (t["port"], port) for t in seen}
            url = "redis://:labpass@127.0.0.1:%d" % port
            for number, args in ((signal.SIGINT, [*stack, "--address-map", ",".join(sorted(rules))]),
                                 (signal.SIGTERM, [*stack, "--resolver", resolver]),
                                 (signal.SIGINT, ["probe", url, "http://127.0.0.1:%d/" % port, "--timeout", "60s", "-o", "json"])):
                with self.subTest(args[0], args=args[-1]):
                    self.ends_in_time(number, *args)

    def test_checks_run_side_by_side(self):
        """By evidence: the whole is nearer to the slowest check than to the sum of all."""
        _, document = self.bed.verify()
        durations = [c["duration_ms"] for c in document["checks"]]
        self.assertGreaterEqual(sum(durations), max(durations))
        self.assertLess(document["duration_ms"], sum(durations))


if __name__ == "__main__":
    unittest.main()
