"""Real faulty servers (../shared/lab): the first finding is the expected one, within ten seconds,
and healthy ones give none. What is here only in kind (the doubles' other modes) is tried too."""
import csv
import os
import unittest

import lab
from lab import free_ports, lacking, probe, start, start_double, text_of

SECONDS_MAX = 10.0
REDIS_NAME = "lab.japaneast.redis.azure.net"

# script -> (ports that it takes, what is probed). {P} is the first port, {Q} the second; {ca}.
CASES = {
    "red_oss_cluster_plain_client.sh": (4, ["rediss://:labpass@127.0.0.1:{P}", "--server-name", REDIS_NAME, "--ca", "{ca}"]),
    "red_close_after_handshake.sh": (1, ["rediss://:labpass@127.0.0.1:{P}", "--tls", "require"]),
    "red_tls_only_plain_client.sh": (1, ["redis://:labpass@127.0.0.1:{P}"]),
    "red_wrongpass.sh": (1, ["redis://:wrong@127.0.0.1:{P}"]),
    "red_cluster_shard_san.sh": (4, ["rediss://:labpass@127.0.0.1:{P}", "--client-mode", "cluster", "--ca", "{ca}"]),
    "red_eviction_policy.sh": (1, ["redis://:labpass@127.0.0.1:{P}"]),
    "red_maxclients.sh": (1, ["redis://:labpass@127.0.0.1:{P}"]),
    "tls_wrong_san.sh": (1, ["rediss://:labpass@127.0.0.1:{P}", "--ca", "{ca}"]),
    "tls_unknown_ca.sh": (1, ["rediss://:labpass@localhost:{P}", "--ca", "{ca}"]),
    "ch_wrong_password.sh": (2, ["http://default:wrong@127.0.0.1:{P}", "clickhouse://default:wrong@127.0.0.1:{Q}"]),
    "ch_ports_swapped.sh": (2, ["http://default:labpass@127.0.0.1:{Q}", "clickhouse://default:labpass@127.0.0.1:{P}"]),
    "ch_missing_database.sh": (2, ["http://default:labpass@127.0.0.1:{P}/langfuse", "clickhouse://default:labpass@127.0.0.1:{Q}/langfuse"]),
    "ch_http_is_something_else.sh": (1, ["clickhouse+http://default:labpass@127.0.0.1:{P}"]),
    "ch_users_in_configd.sh": (2, ["http://default:labpass@127.0.0.1:{P}", "clickhouse://default:labpass@127.0.0.1:{Q}"]),
    "pg_wrong_password.sh": (1, ["postgresql://app:wrong@127.0.0.1:{P}/appdb"]),
    "pg_tls_not_supported.sh": (1, ["postgresql://app:labpass@127.0.0.1:{P}/appdb?sslmode=require"]),
    "pg_table_locked.sh": (1, ["postgresql://app:labpass@127.0.0.1:{P}/appdb"]),
    "pg_pool_exhausted.sh": (2, ["postgresql://app:labpass@127.0.0.1:{P}/appdb"]),
    "pg_pooler_unknown_tenant.sh": (1, ["postgresql://postgres:labpass@127.0.0.1:{P}/postgres"]),
    "http_appgw_502.sh": (1, ["http://127.0.0.1:{P}/api/public/health"]),
    "http_redirect_localhost.sh": (1, ["http://127.0.0.1:{P}/"]),
    "tcp_refused.sh": (1, ["tcp://127.0.0.1:{P}"]),
    "tcp_accept_silent.sh": (1, ["tcp://127.0.0.1:{P}"]),
}

# Set-ups of the same kinds that have no line in EXPECTED.tsv: (program, its arguments, id, probe).
DOUBLES = [
    ("double.py", ["aca404"], "ACA-009", ["http://127.0.0.1:{P}/"]),
    ("double.py", ["aca503"], "ACA-004", ["http://127.0.0.1:{P}/"]),
    ("double.py", ["lf-health-503"], "LF-001", ["http://127.0.0.1:{P}/api/public/health?failIfDatabaseUnavailable=true"]),
    ("double.py", ["ch-modern"], "CH-001", ["clickhouse+http://default:wrong@127.0.0.1:{P}"]),
    ("double.py", ["ch-native-516"], "CH-001", ["clickhouse://default:wrong@127.0.0.1:{P}"]),
    ("double.py", ["ch-native-194"], "CH-002", ["clickhouse://default@127.0.0.1:{P}"]),
    ("double.py", ["pg-starting"], "PG-007", ["postgres://app:labpass@127.0.0.1:{P}/appdb"]),
    ("double.py", ["pg-tenant-new"], "SUP-001", ["postgres://postgres:labpass@127.0.0.1:{P}/postgres"]),
    ("double.py", ["pg-maxconn-session"], "SUP-003", ["postgres://app:labpass@127.0.0.1:{P}/appdb"]),
    ("double.py", ["pg-silent"], "PG-009", ["postgres://app:labpass@127.0.0.1:{P}/appdb"]),
    ("double.py", ["appgw502"], "PG-011", ["postgres://app:labpass@127.0.0.1:{P}/appdb"]),
    ("double.py", ["silent"], "NET-004", ["redis://:labpass@127.0.0.1:{P}"]),
    ("double.py", ["silent"], "NET-004", ["http://127.0.0.1:{P}/"]),
    ("double.py", ["silent"], "NET-004", ["clickhouse://127.0.0.1:{P}"]),
    ("double.py", ["silent"], "NET-004", ["tls://127.0.0.1:{P}"]),
    ("double.py", ["reset"], "NET-003", ["tcp://127.0.0.1:{P}"]),
    ("double.py", ["blackhole"], "NET-001", ["tcp://127.0.0.1:{P}"]),
    ("double.py", ["appgw502"], "TLS-005", ["https://127.0.0.1:{P}/"]),
    ("faultproxy.py", ["fin-before"], "NET-003", ["redis://:labpass@127.0.0.1:{P}"]),
    ("faultproxy.py", ["rst-before"], "NET-003", ["rediss://:labpass@127.0.0.1:{P}"]),
    ("faultproxy.py", ["rst-after-handshake", "--cert", "{azure.crt}", "--key", "{azure.key}"], "RED-002", ["rediss://:labpass@127.0.0.1:{P}", "--tls", "require"]),
    ("faultproxy.py", ["fin-after-data", "--cert", "{azure.crt}", "--key", "{azure.key}"], "RED-002", ["rediss://:labpass@127.0.0.1:{P}", "--tls", "require"]),
    ("faultproxy.py", ["pass", "--cert", "{expired.crt}", "--key", "{expired.key}"], "TLS-002", ["tls://localhost:{P}", "--ca", "{ca}"]),
]
UNREADY = ("blackhole",)  # no connection may be tried before ours


# Healthy servers: shell text after lib.sh's functions, what is probed.
HEALTHY = [
    ("redis r --port {P} --requirepass labpass; waitport {P}", ["redis://:labpass@127.0.0.1:{P}"]),
    ("certs; redis r --port 0 --tls-port {P} $(tlsargs good) --tls-auth-clients no --requirepass labpass; waitport {P}",
     ["rediss://:labpass@localhost:{P}", "--ca", "{ca}"]),
    ("postgres {P}", ["postgresql://app:labpass@127.0.0.1:{P}/appdb"]),
    ("clickhouse {P} {Q}", ["http://default:labpass@127.0.0.1:{P}", "clickhouse://default:labpass@127.0.0.1:{Q}"]),
    ("redis r --port {P}; waitport {P}", ["tcp://127.0.0.1:{P}"]),
]


def fill(args, ports):
    values = {"P": ports[0], "Q": ports[1] if len(ports) > 1 else 0, "ca": lab.Certificates.path("ca.crt")}
    for name in ("azure", "expired"):
        for end in ("crt", "key"):
            values["%s.%s" % (name, end)] = lab.Certificates.path("%s.%s" % (name, end))
    out = []
    for a in args:
        for k, v in values.items():
            a = a.replace("{%s}" % k, str(v))
        out.append(a)
    return out


def rows(name):
    with open(os.path.join(lab.LAB, name)) as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


class Lab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lab.need_lab()

    def expect_first(self, document, took, id, words=""):
        ids = [f["runbook"] for f in document["findings"]]
        facts = {k: v for k, v in document["checks"][0]["evidence"].items() if k not in ("client", "target")}
        self.assertTrue(ids, "no finding; evidence: %s" % facts)
        self.assertEqual(ids[0], id, "%s; evidence: %s" % (ids, facts))
        self.assertEqual(lacking(text_of(document["findings"][0]), words) if words else [], [], text_of(document["findings"][0]))
        self.assertLess(took, SECONDS_MAX)
        self.assertNotIn("labpass", str(document))

    def test_each_line_of_the_list_is_tried(self):
        scripts = {r["script"] for r in rows("EXPECTED.tsv")} - {"dns_faults.sh"}
        self.assertEqual(scripts, set(CASES))

    def test_faulty_servers(self):
        for row in rows("EXPECTED.tsv"):
            if row["script"] not in CASES:
                continue
            with self.subTest(row["script"]):
                count, args = CASES[row["script"]]
                ports = free_ports(count)
                server = start(row["script"], ports)
                try:
                    document, took = probe(*fill(args, ports))
                finally:
                    server.stop()
                self.expect_first(document, took, row["id"], row["must_mention (;=all of, \"or\" inside=any)"])

    def test_siblings(self):
        for program, how, id, args in DOUBLES:
            with self.subTest(program + " " + how[0] + " " + args[0].split(":")[0]):
                ports = free_ports(1)
                server = start_double(program, ports[0], *fill(how, ports), ready=how[0] not in UNREADY)
                try:
                    document, took = probe(*fill(args, ports))
                finally:
                    server.stop()
                self.expect_first(document, took, id)

    def test_healthy_servers(self):
        for text, args in HEALTHY:
            with self.subTest(args[0].split(":")[0] + " " + text.split()[0]):
                ports = free_ports(2)
                script = "set -e; . %s/lib.sh; set +e; %s; ready" % (lab.LAB, fill([text], ports)[0])
                server = lab.Server(["bash", "-c", script], env=lab.Certificates.env())
                try:
                    document, took = probe(*fill(args, ports))
                finally:
                    server.stop()
                self.assertEqual([f["runbook"] for f in document["findings"]], [], document["checks"][0]["evidence"])
                self.assertEqual(document["summary"]["pass"], 1, document["checks"][0]["evidence"])
                self.assertLess(took, SECONDS_MAX)

    def test_names(self):
        port = free_ports(1)[0]
        server = start("dns_faults.sh", [port])
        try:
            for row in rows("EXPECTED-dns.tsv"):
                with self.subTest(row["name"]):
                    document, took = probe("dns:" + row["name"], "--resolver", "127.0.0.1:%d" % port)
                    if row["id"] == "-":
                        self.assertEqual(document["findings"], [])
                    else:
                        self.expect_first(document, took, row["id"], row["must_mention"])
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
