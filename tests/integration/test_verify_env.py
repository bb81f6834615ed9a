"""verify --env-file: what an application's variables say, by itself and against real servers."""
import json
import os
import tempfile
import unittest

import lab

WRONG = {
    "PG-013": ["DATABASE_URL=postgresql://app:planted1@127.0.0.1:{P}/appdb", "DB_HOST=10.0.0.9"],
    "PG-012": ["DATABASE_URL=postgresql://app:plan/ted1@127.0.0.1:{P}/appdb"],
    "CH-011": ["CLICKHOUSE_MIGRATION_URL=http://127.0.0.1:{P}", "CLICKHOUSE_URL=http://127.0.0.1:{P}"],
    "CH-003": ["CLICKHOUSE_URL=http://127.0.0.1:9000"],
    "CH-014": ["CLICKHOUSE_URL=http://u:planted1@127.0.0.1:{P}"],
    "RED-017": ["REDIS_HOST=127.0.0.1", "REDIS_PORT={P}", "REDIS_TLS=true"],
    "RED-022": ["REDIS_CONNECTION_STRING=rediss://:planted1@127.0.0.1:{P}?tls[rejectUnauthorized]=false"],
    "RED-023": ["REDIS_CLUSTER_NODES=rediss://127.0.0.1:{P}"],
    "LF-003": ["DATABASE_URL=postgresql://127.0.0.1:{P}/d", "ENCRYPTION_KEY=planted1"],
    "LF-002": ["NEXTAUTH_URL=http://localhost:{P}"],
    "AGW-006": ["NEXTAUTH_URL=http://null"],
    "LF-004": ["LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT=https://acc.blob.core.windows.net"],
    "PG-014": ["DATABASE_URL=postgresql://app:planted1@127.0.0.1:6543/d"],
    "TLS-006": ["REDIS_HOST=127.0.0.1", "REDIS_PORT={P}", "NODE_TLS_REJECT_UNAUTHORIZED=0"],
}


def verify(lines, *args):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.env")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        r = lab.cli("verify", "--env-file", path, "-o", "json", "--timeout", "3", *args)
    return r, json.loads(r.stdout) if r.stdout else None


class EnvironmentFile(unittest.TestCase):
    def test_values_that_are_wrong_by_themselves(self):
        for id, lines in WRONG.items():
            with self.subTest(id):
                port = lab.free_ports(1)[0]
                r, document = verify([l.replace("{P}", str(port)) for l in lines])
                self.assertEqual(r.returncode, 1, r.stderr)
                found = [f["runbook"] for f in document["findings"] if any("env.problem" in e for e in f["evidence"])]
                self.assertIn(id, found, document["findings"])
                self.assertNotIn("planted1", r.stdout + r.stderr)

    def test_the_services_are_probed(self):
        lab.need_lab()
        redis, silent = lab.free_ports(2)
        server = lab.Server(["bash", "-c", ". %s/lib.sh; redis r --port %d --requirepass labpass; waitport %d; ready" % (lab.LAB, redis, redis)],
                            env=lab.Certificates.env())
        try:
            lines = ["REDIS_HOST=127.0.0.1", "REDIS_PORT=%d" % redis, "REDIS_AUTH=labpass"]
            r, document = verify(lines)
            self.assertEqual((r.returncode, document["findings"], document["summary"]["pass"]), (0, [], 1))
            r, document = verify(lines[:2] + ["REDIS_AUTH=wrong"])
            self.assertEqual([f["runbook"] for f in document["findings"]], ["RED-009"])
            r, document = verify(lines + ["DATABASE_URL=postgresql://u:p@127.0.0.1:%d/d" % silent])
            self.assertEqual([f["runbook"] for f in document["findings"]], ["NET-002"])
        finally:
            server.stop()

    def test_nothing_to_verify(self):
        r, _ = verify(["COLOUR=blue"])
        self.assertEqual(r.returncode, 65)
        self.assertIn("names a service", r.stderr)


if __name__ == "__main__":
    unittest.main()
