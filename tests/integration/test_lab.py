"""Real faulty servers (../shared/lab): the first finding is the expected one, within ten seconds,
and healthy ones give none. What is here only in kind (the doubles' other modes) is tried too."""
import csv
import os
import tempfile
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


TLS_ONLY = "local all all trust\nhostssl all all all scram-sha-256\n"
WITH_CERTIFICATE = "local all all trust\nhostssl all all all scram-sha-256 clientcert=verify-ca\n"


class PostgresOverTls(unittest.TestCase):
    """One real server whose certificate, TLS and access rules change: each fault by its own runbook, the right one first."""

    # name, the server (certificate and settings), sslmode and more of the URL, ids; what the finding must mention
    ROWS = [
        ("verified", {"certificate": "good", "login": TLS_ONLY}, {"sslmode": "verify-full"}, [], ""),
        ("by the URL's own root file", {"certificate": "good"}, {"sslmode": "verify-full", "sslrootcert": "{ca.crt}"}, [], ""),
        ("unknown CA", {"certificate": "foreign"}, {"sslmode": "verify-full"}, ["TLS-003"], "sslrootcert"),
        ("unknown CA, verify-ca", {"certificate": "foreign"}, {"sslmode": "verify-ca"}, ["TLS-003"], "sslrootcert"),
        ("unknown CA, not looked at", {"certificate": "foreign"}, {"sslmode": "require"}, [], ""),
        ("wrong name", {"certificate": "other"}, {"sslmode": "verify-full"}, ["TLS-001"], "db.example;localhost"),
        ("wrong name, verify-ca", {"certificate": "other"}, {"sslmode": "verify-ca"}, [], ""),
        ("an address that it does not hold", {"certificate": "name"}, {"host": "127.0.0.1", "sslmode": "verify-full"}, ["TLS-001"], "127.0.0.1"),
        ("expired", {"certificate": "expired"}, {"sslmode": "verify-full"}, ["TLS-002"], "expired;2021"),
        ("expired, verify-ca", {"certificate": "expired"}, {"sslmode": "verify-ca"}, ["TLS-002"], "expired"),
        ("not valid yet", {"certificate": "early"}, {"sslmode": "verify-full"}, ["TLS-002"], "not-yet-valid"),
        ("no TLS, verify-full", {}, {"sslmode": "verify-full"}, ["PG-004"], "SSLRequest"),
        ("no TLS, require", {}, {"sslmode": "require"}, ["PG-004"], "SSLRequest"),
        ("no TLS, prefer", {}, {"sslmode": "prefer"}, [], ""),
        ("TLS only, disable", {"certificate": "good", "login": TLS_ONLY}, {"sslmode": "disable"}, ["PG-003"], "no encryption"),
        ("a root file that is not there", {"certificate": "good"}, {"sslmode": "verify-full", "sslrootcert": "/nonexistent/root.crt"},
         ["PG-005"], "/nonexistent/root.crt"),
        ("a client certificate wanted", {"certificate": "good", "login": WITH_CERTIFICATE, "ssl_ca_file": "{ca.crt}"},
         {"sslmode": "verify-full"}, ["PG-003"], "client certificate;sslcert"),
        ("below the client's floor", {"certificate": "good", "ssl_min_protocol_version": "TLSv1", "ssl_max_protocol_version": "TLSv1.1"},
         {"sslmode": "verify-full"}, ["TLS-004"], ""),
        ("wrong password", {"certificate": "good", "login": TLS_ONLY}, {"sslmode": "verify-full", "password": "wrong-word-9"}, ["PG-001"], "app"),
    ]

    @classmethod
    def setUpClass(cls):
        cls.server = lab.Postgres()
        cls.addClassCleanup(cls.server.stop)
        folder = tempfile.TemporaryDirectory(prefix="lab-ca-")
        cls.addClassCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        cls.ca = lab.Authority(folder.name)
        past, future = ("20200101000000Z", "20210101000000Z"), ("20900101000000Z", "20991231000000Z")
        for name, alternatives, more in (
                ("good", "DNS:localhost,IP:127.0.0.1", {}), ("name", "DNS:localhost", {}), ("other", "DNS:db.example", {}),
                ("foreign", "DNS:localhost", {"ca": "otherca"}), ("expired", "DNS:localhost", {"dates": past}),
                ("early", "DNS:localhost", {"dates": future})):
            cls.ca.sign(name, alternatives, **more)

    def filled(self, options):
        return {k: self.ca.path(v[1:-1]) if v.startswith("{") else v for k, v in options.items()}

    def test_each_fault(self):
        for name, settings, url, ids, words in self.ROWS:
            with self.subTest(name):
                settings = self.filled(settings)
                certificate = settings.pop("certificate", None)
                pair = certificate and [self.ca.path("%s.%s" % (certificate, end)) for end in ("crt", "key")]
                self.server.reload(pair, settings.pop("login", self.server.LOGIN), **settings)
                roots = [] if "sslrootcert" in url else ["--ca", self.ca.path("ca.crt")]
                document, took = probe(self.server.url(**self.filled(url)), *roots)
                check = document["checks"][0]
                self.assertEqual([f["runbook"] for f in document["findings"]], ids, check["evidence"])
                self.assertEqual(check["status"], "fail" if ids else "pass", check["evidence"])
                self.assertEqual(lacking(text_of(document["findings"][0]), words) if words else [], [])
                for word in (self.server.PASSWORD, "wrong-word-9"):
                    self.assertNotIn(word, str(document))
                self.assertLess(took, SECONDS_MAX)

    def test_what_was_seen_of_a_verified_connection(self):
        self.server.reload([self.ca.path("good.crt"), self.ca.path("good.key")])
        document, _ = probe(self.server.url(sslmode="verify-full"), "--ca", self.ca.path("ca.crt"))
        evidence = document["checks"][0]["evidence"]
        self.assertEqual((evidence["tls"]["verify"], evidence["tls"]["name_matches"], evidence["postgres"]["ssl_answer"]), ("ok", True, "S"))
        self.assertEqual((evidence["postgres"]["tls_in_use"], evidence["postgres"]["tls_version"]), (True, "TLSv1.3"))
        self.assertEqual(evidence["tls"]["names"], ["localhost"])


if __name__ == "__main__":
    unittest.main()
