"""The data plane of the sandbox, asked by real clients: resources are made over ARM, then psql, redis-cli,
clickhouse-client, curl and dig speak to what stands behind them."""
import base64
import hashlib
import hmac
import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("DEPLOYER_BUILD", os.path.join(ROOT, "build", os.environ.get("VARIANT", "release")))
SANDBOX = os.path.join(BUILD, "deployer-sandbox")
APP, NET = "Microsoft.App", "Microsoft.Network"
ZONES = {"postgres": "privatelink.postgres.database.azure.com", "redis": "privatelink.redis.azure.net",
         "blob": "privatelink.blob.core.windows.net"}


def need(*programs):
    for p in programs:
        if shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/usr/lib/postgresql/15/bin") is None:
            raise unittest.SkipTest("missing: " + p)


def until(what, seconds=60, period=0.1):
    end = time.time() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.time() > end:
            raise AssertionError("did not come about in %d s" % seconds)
        time.sleep(period)


def run(*argv, env=None, seconds=30):
    done = subprocess.run(argv, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds)
    return done.returncode, done.stdout.strip()


def processes_of(folder, guardian=True):
    """The ids of processes whose command line, environment or working folder names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            texts = [open("/proc/%s/%s" % (pid, name), "rb").read() for name in ("cmdline", "environ")]
            texts.append(os.readlink("/proc/%s/cwd" % pid).encode())
            if not guardian and open("/proc/%s/comm" % pid).read() == "sandbox-guard\n":
                continue
        except OSError:
            continue
        if int(pid) != os.getpid() and any(folder.encode() in t for t in texts):
            found.append(int(pid))
    return found


class Sandbox:
    def __init__(self, services="real", user=None, env=None, latency="0"):
        self.folder = tempfile.mkdtemp(prefix="backend-test-")
        os.chmod(self.folder, 0o755)
        self.dir = os.path.join(self.folder, "sandbox")
        self.user, self.env = user, {**os.environ, **(env or {})}
        self.args = ["--services", services, "--latency", latency, "--images", os.path.join(HERE, "images.yaml")]
        if user is not None:
            os.makedirs(self.dir)
            shutil.chown(self.dir, user)
            self.env["HOME"] = self.dir
        self.start()

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen([SANDBOX, "--dir", self.dir, *self.args], env=self.env, user=self.user,
                                        cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.info = until(self.ready, 90)
        self.tls = ssl.create_default_context(cafile=self.info["ca"])
        with open(self.info["client_secret"]) as f:
            secret = f.read().strip()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": self.info["client_id"],
                                       "client_secret": secret, "scope": "https://management.azure.com/.default"})
        url = "%s/%s/oauth2/v2.0/token" % (self.info["endpoint"], self.info["tenant"])
        with urllib.request.urlopen(urllib.request.Request(url, form.encode()), context=self.tls) as answer:
            self.token = json.load(answer)["access_token"]
        self.group = "/subscriptions/%s/resourceGroups/rg" % self.info["subscription"]

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("ended: " + open(os.path.join(self.folder, "log")).read()[-2000:])
        try:
            with open(os.path.join(self.dir, "sandbox.json")) as f:
                info = json.load(f)
            return info if info["pid"] == self.process.pid else None
        except (OSError, ValueError):
            return None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        if b"Sanitizer" in open(self.log.name, "rb").read():
            raise AssertionError(open(self.log.name).read()[-6000:])

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def call(self, method, path, body=None, version="2025-07-01"):
        url = path if path.startswith("https:") else self.info["endpoint"] + path + "?api-version=" + version
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None, dict(answer.headers)
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"null"), dict(e.headers)

    def finish(self, headers):
        """Waits for an operation; its error, or None."""
        url = headers.get("Azure-AsyncOperation")
        if url is not None:
            def done():
                _, answer, _ = self.call("GET", url)
                return answer if answer["status"] not in ("InProgress", "Running", "Creating") else None
            answer = until(done, 120)
            return None if answer["status"] == "Succeeded" else answer["error"]
        url = headers.get("Location")
        if url is not None:
            until(lambda: self.call("GET", url)[0] != 202, 120)
        return None

    def start_put(self, path, body, version):
        status, answer, headers = self.call("PUT", path, body, version)
        if status not in (200, 201, 202):
            raise AssertionError("PUT %s: %d %s" % (path, status, json.dumps(answer)))
        return headers

    def put(self, path, body, version="2025-07-01"):
        error = self.finish(self.start_put(path, body, version))
        if error is not None:
            raise AssertionError("PUT %s: %s" % (path, json.dumps(error)))
        return self.get(path, version)

    def get(self, path, version="2025-07-01"):
        status, answer, _ = self.call("GET", path, None, version)
        if status != 200:
            raise AssertionError("GET %s: %d %s" % (path, status, json.dumps(answer)))
        return answer

    def delete(self, path, version="2025-07-01"):
        _, _, headers = self.call("DELETE", path, None, version)
        self.finish(headers)

    def id(self, provider, path):
        return "%s/providers/%s/%s" % (self.group, provider, path)

    def mapped(self, address):
        parts = [int(p) for p in address.split(".")]
        for rule in self.info["address_map"].split(","):
            source, target = rule.split("=")
            if source.startswith(":"):
                continue
            bits = int(source.split("/")[1])
            mask = (0xffffffff << (32 - bits)) & 0xffffffff
            number = lambda t: int.from_bytes(bytes(int(p) for p in t.split("/")[0].split(".")), "big")
            value = int.from_bytes(bytes(parts), "big")
            if value & mask == number(source):
                return ".".join(str(b) for b in (number(target) | (value & ~mask & 0xffffffff)).to_bytes(4, "big"))
        return address

    def dig(self, name):
        host, port = self.info["dns"].split(":")
        return run("dig", "+short", "+norec", "@" + host, "-p", port, name)[1].split()

    # ---- resources ----

    def make_network(self, space="10.77"):
        self.put(self.group, {"location": "japaneast"}, "2025-04-01")
        self.vnet = self.id(NET, "virtualNetworks/vnet")
        self.put(self.vnet, {"location": "japaneast", "properties": {
            "addressSpace": {"addressPrefixes": [space + ".0.0/16"]},
            "subnets": [
                {"name": "apps", "properties": {"addressPrefix": space + ".0.0/23", "delegations": [
                    {"name": "apps", "properties": {"serviceName": "Microsoft.App/environments"}}]}},
                {"name": "pe", "properties": {"addressPrefix": space + ".2.0/24"}}]}}, "2025-05-01")

    def make_endpoint(self, name, target, group, zone, linked=True):
        """A private endpoint with its zone; its address."""
        zone_id = self.id(NET, "privateDnsZones/" + zone)
        self.put(zone_id, {"location": "global"}, "2024-06-01")
        if linked:
            self.put(zone_id + "/virtualNetworkLinks/vnet", {"location": "global", "properties": {
                "virtualNetwork": {"id": self.vnet}, "registrationEnabled": False}}, "2024-06-01")
        pe = self.id(NET, "privateEndpoints/pe-" + name)
        made = self.put(pe, {"location": "japaneast", "properties": {
            "subnet": {"id": self.vnet + "/subnets/pe"}, "privateLinkServiceConnections": [
                {"name": name, "properties": {"privateLinkServiceId": target, "groupIds": [group]}}]}}, "2025-05-01")
        address = made["properties"]["customDnsConfigs"][0]["ipAddresses"][0]
        self.put(pe + "/privateDnsZoneGroups/default", {"properties": {"privateDnsZoneConfigs": [
            {"name": name, "properties": {"privateDnsZoneId": zone_id}}]}}, "2025-05-01")
        return address

    def server(self, password):
        return {"location": "japaneast", "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {
            "version": "16", "administratorLogin": "boss", "administratorLoginPassword": password,
            "storage": {"storageSizeGB": 32}, "network": {"publicNetworkAccess": "Disabled"}}}

    def make_environment(self):
        self.environment = self.id(APP, "managedEnvironments/env")
        made = self.put(self.environment, {"location": "japaneast", "properties": {
            "vnetConfiguration": {"internal": True, "infrastructureSubnetId": self.vnet + "/subnets/apps"},
            "workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}})
        self.domain = made["properties"]["defaultDomain"]
        self.static_ip = made["properties"]["staticIp"]

    def revision(self, app):
        name = self.get(app)["properties"]["latestRevisionName"]
        return self.get(app + "/revisions/" + name)["properties"]


def app_body(sandbox, container, ingress=None, secrets=None, volumes=None, scale=None, name="web"):
    return {"location": "japaneast", "properties": {
        "environmentId": sandbox.environment,
        "configuration": {"activeRevisionsMode": "Single", "ingress": ingress, "secrets": secrets or []},
        "template": {"containers": [{"name": name, "resources": {"cpu": 0.5, "memory": "1Gi"}, **container}],
                     "volumes": volumes or [], "scale": scale or {"minReplicas": 1, "maxReplicas": 1}}}}


class DataServices(unittest.TestCase):
    """PostgreSQL, Redis, blob storage and DNS behind private endpoints."""

    @classmethod
    def setUpClass(cls):
        need("psql", "initdb", "redis-server", "redis-cli", "dnsmasq", "dig", "curl")
        cls.s = s = Sandbox()
        cls.addClassCleanup(s.remove)
        s.make_network()
        cls.pg = s.id("Microsoft.DBforPostgreSQL", "flexibleServers/pg-test")
        cls.cache = s.id("Microsoft.Cache", "redisEnterprise/cache-test")
        cls.account = s.id("Microsoft.Storage", "storageAccounts/sttest4711")
        waiting = [
            s.start_put(cls.pg, s.server("First.pass-1"), "2025-08-01"),
            s.start_put(cls.cache, {"location": "japaneast", "sku": {"name": "Balanced_B0"}, "properties": {
                "publicNetworkAccess": "Disabled"}}, "2025-07-01"),
            s.start_put(cls.account, {"location": "japaneast", "kind": "StorageV2", "sku": {"name": "Standard_LRS"},
                                      "properties": {"publicNetworkAccess": "Disabled"}}, "2025-08-01"),
        ]
        for headers in waiting:
            error = s.finish(headers)
            if error is not None and "azurite" in json.dumps(error):
                raise unittest.SkipTest("missing: azurite")
            assert error is None, error
        s.put(cls.pg + "/databases/shop", {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}}, "2025-08-01")
        s.put(cls.cache + "/databases/default", cls.database("NoCluster"), "2025-07-01")
        s.put(cls.account + "/blobServices/default/containers/events", {"properties": {}}, "2025-08-01")
        cls.pg_at = s.make_endpoint("pg", cls.pg, "postgresqlServer", ZONES["postgres"])
        cls.cache_at = s.make_endpoint("cache", cls.cache, "redisEnterprise", ZONES["redis"])
        cls.blob_at = s.make_endpoint("blob", cls.account, "blob", ZONES["blob"], linked=False)

    @staticmethod
    def database(policy):
        return {"properties": {"clientProtocol": "Encrypted", "port": 10000, "clusteringPolicy": policy,
                               "evictionPolicy": "NoEviction", "accessKeysAuthentication": "Enabled"}}

    def psql(self, password, sql, extra=""):
        target = ("host=pg-test.postgres.database.azure.com hostaddr=%s port=5432 user=boss dbname=shop connect_timeout=5 "
                  "sslmode=verify-full sslrootcert=%s %s" % (self.s.mapped(self.pg_at), self.s.info["ca"], extra))
        return run("psql", target, "-XAtc", sql, env={"PGPASSWORD": password})

    def redis(self, key, *command):
        return run("redis-cli", "--no-auth-warning", "--tls", "--cacert", self.s.info["ca"], "-h",
                   self.s.mapped(self.cache_at), "-p", "10000", *command, env={"REDISCLI_AUTH": key})[1]

    def key(self):
        return self.s.call("POST", self.cache + "/databases/default/listKeys")[1]["primaryKey"]

    def test_postgres_login_by_verified_tls(self):
        self.assertEqual(self.psql("First.pass-1", "select current_user || current_database()"), (0, "bossshop"))
        status, text = self.psql("First.pass-1", "select 1", "sslmode=disable")
        self.assertIn("no encryption", text)
        self.assertNotEqual(status, 0)

    def test_postgres_password_really_changes(self):
        self.s.put(self.pg, self.s.server("Second.pass-2"), "2025-08-01")
        try:
            self.assertIn("password authentication failed", self.psql("First.pass-1", "select 1")[1])
            self.assertEqual(self.psql("Second.pass-2", "select 1"), (0, "1"))
        finally:
            self.s.put(self.pg, self.s.server("First.pass-1"), "2025-08-01")

    def test_postgres_configuration(self):
        path = self.pg + "/configurations/work_mem"
        self.s.put(path, {"properties": {"value": "8192", "source": "user-override"}}, "2025-08-01")
        self.assertEqual(self.psql("First.pass-1", "show work_mem"), (0, "8MB"))

    def test_redis_needs_tls_and_key(self):
        self.assertEqual(self.redis(self.key(), "set", "a", "b"), "OK")
        self.assertIn("maxmemory_policy:noeviction", self.redis(self.key(), "info", "memory"))
        self.assertIn("WRONGPASS", self.redis("wrong", "ping"))
        self.assertIn("unknown command", self.redis(self.key(), "config", "get", "maxmemory"))
        name = "cache-test.japaneast.redis.azure.net"
        self.assertIn("Verification: OK", run("openssl", "s_client", "-connect", self.s.mapped(self.cache_at) + ":10000",
                                              "-servername", name, "-verify_hostname", name, "-CAfile", self.s.info["ca"])[1])

    def blob(self, method, path, body=b"", key=None):
        account = "sttest4711"
        key = key or self.s.call("POST", self.account + "/listKeys", version="2025-08-01")[1]["keys"][0]["value"]
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        if method == "PUT":
            headers["x-ms-blob-type"] = "BlockBlob"
        canonical = "".join("%s:%s\n" % (k, headers[k]) for k in sorted(headers))
        text = "%s\n\n\n%s\n\n%s\n\n\n\n\n\n\n%s/%s%s" % (
            method, len(body) or "", "text/plain" if body else "", canonical, account, path)
        digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = "SharedKey %s:%s" % (account, base64.b64encode(digest).decode())
        argv = ["curl", "-s", "-o", "-", "-w", "\n%{http_code}", "-X", method, "--cacert", self.s.info["ca"],
                "--connect-to", "::%s:443" % self.s.mapped(self.blob_at)]
        for name, value in headers.items():
            argv += ["-H", "%s: %s" % (name, value)]
        if body:
            argv += ["-H", "Content-Type: text/plain", "--data-binary", body.decode()]
        out = run(*argv, "https://%s.blob.core.windows.net%s" % (account, path))[1].rsplit("\n", 1)
        return int(out[-1]), out[0]

    def test_blob_by_account_host(self):
        self.assertEqual(self.blob("PUT", "/events/one", b"hello")[0], 201)
        self.assertEqual(self.blob("GET", "/events/one"), (200, "hello"))
        self.assertEqual(self.blob("GET", "/nowhere/one")[0], 404)
        self.assertEqual(self.blob("GET", "/events/one", key=base64.b64encode(b"x" * 64).decode())[0], 403)

    def test_dns_serves_linked_zones_only(self):
        self.assertEqual(self.s.dig("pg-test.postgres.database.azure.com"),
                         ["pg-test.privatelink.postgres.database.azure.com.", self.pg_at])
        self.assertEqual(self.s.dig("cache-test.japaneast.redis.azure.net")[-1], self.cache_at)
        # Its zone is linked to nothing: what the public DNS says of a server without public access.
        self.assertEqual(self.s.dig("sttest4711.blob.core.windows.net"), ["203.0.113.10"])
        self.assertEqual(self.s.dig("nobody.privatelink.redis.azure.net"), [])

    def test_dns_follows_records(self):
        zone = self.s.id(NET, "privateDnsZones/inside.example")
        self.s.put(zone, {"location": "global"}, "2024-06-01")
        self.s.put(zone + "/A/*", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.77.9.9"}]}}, "2024-06-01")
        self.assertEqual(self.s.dig("a.inside.example"), [])
        self.s.put(zone + "/virtualNetworkLinks/vnet", {"location": "global", "properties": {
            "virtualNetwork": {"id": self.s.vnet}, "registrationEnabled": False}}, "2024-06-01")
        self.assertEqual(self.s.dig("a.inside.example"), ["10.77.9.9"])
        self.assertEqual(self.s.dig("inside.example"), [])
        self.s.put(zone + "/A/@", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.77.9.8"}]}}, "2024-06-01")
        until(lambda: self.s.dig("inside.example") == ["10.77.9.8"], 10)

    def test_data_outlives_a_restart(self):
        self.assertEqual(self.psql("First.pass-1", "create table if not exists kept (a int)")[0], 0)
        self.redis(self.key(), "set", "kept", "1")
        self.s.stop()
        self.s.start()
        self.assertEqual(self.psql("First.pass-1", "select count(*) from kept"), (0, "0"))
        self.assertEqual(self.redis(self.key(), "get", "kept"), "1")
        self.assertEqual(self.blob("GET", "/events/none")[0], 404)


class OssCluster(unittest.TestCase):
    def test_slots_lie_at_the_private_endpoint(self):
        need("redis-server", "redis-cli", "dnsmasq")
        s = Sandbox()
        self.addCleanup(s.remove)
        s.make_network("10.78")
        cache = s.id("Microsoft.Cache", "redisEnterprise/oss-test")
        s.put(cache, {"location": "japaneast", "sku": {"name": "Balanced_B0"},
                      "properties": {"publicNetworkAccess": "Disabled"}})
        s.put(cache + "/databases/default", DataServices.database("OSSCluster"))
        at = s.make_endpoint("oss", cache, "redisEnterprise", ZONES["redis"])
        key = s.call("POST", cache + "/databases/default/listKeys")[1]["primaryKey"]

        def slots():
            out = run("redis-cli", "--no-auth-warning", "--tls", "--cacert", s.info["ca"], "-h", s.mapped(at), "-p", "10000",
                      "cluster", "slots", env={"REDISCLI_AUTH": key})[1].split("\n")
            return out[:4] if len(out) > 4 and out[2] == at else None

        self.assertEqual(until(slots, 20), ["0", "16383", at, "10000"])


class Containers(unittest.TestCase):
    """Container apps and jobs, with Langfuse's images played by the stand-in."""

    @classmethod
    def setUpClass(cls):
        need("dnsmasq", "curl")
        cls.notes = tempfile.mkdtemp(prefix="backend-standin-")
        cls.addClassCleanup(shutil.rmtree, cls.notes)
        cls.control_file = os.path.join(cls.notes, "control.json")
        cls.s = s = Sandbox(env={"STANDIN": os.path.join(HERE, "standin.py"), "STANDIN_CONTROL": cls.control_file,
                                 "STANDIN_LOG": os.path.join(cls.notes, "log.jsonl")})
        cls.addClassCleanup(s.remove)
        s.make_network("10.79")
        s.make_environment()

    def setUp(self):
        self.control({})

    def control(self, settings):
        with open(self.control_file, "w") as f:
            json.dump(settings, f)

    def web(self, tag, replicas=1, env=(), secrets=None, image="langfuse/langfuse"):
        probe = {"type": "Startup", "httpGet": {"path": "/api/public/health", "port": 3000}, "periodSeconds": 1,
                 "failureThreshold": 4, "timeoutSeconds": 2}
        return app_body(self.s, {"image": "%s:%s" % (image, tag), "env": list(env), "probes": [probe]},
                        ingress={"external": True, "targetPort": 3000, "transport": "auto"}, secrets=secrets,
                        scale={"minReplicas": replicas, "maxReplicas": replicas})

    def settled(self, app, *states):
        def look():
            properties = self.s.revision(app)
            return properties if properties["runningState"] in states else None
        return until(look, 60)

    def test_replicas_run_and_are_reached_by_host(self):
        app = self.s.id(APP, "containerApps/reach")
        self.s.put(app, self.web("1.0.0", replicas=3))
        properties = self.settled(app, "Running", "Failed")
        self.assertEqual((properties["runningState"], properties["healthState"], properties["replicas"]),
                         ("Running", "Healthy", 3), properties)
        name = self.s.get(app)["properties"]["latestRevisionName"]
        replicas = self.s.get("%s/revisions/%s/replicas" % (app, name))["value"]
        self.assertEqual([r["properties"]["runningState"] for r in replicas], ["Running"] * 3)
        url = "https://reach.%s/api/public/health" % self.s.domain
        argv = ["curl", "-s", "--cacert", self.s.info["ca"], "--connect-to", "::%s:443" % self.s.mapped(self.s.static_ip)]
        self.assertEqual(json.loads(run(*argv, url)[1])["role"], "web")
        self.assertIn("does not exist", run(*argv, "https://nobody.%s/" % self.s.domain)[1])

    def test_new_revision_starts_before_the_old_one_stops(self):
        app = self.s.id(APP, "containerApps/overlap")
        self.s.put(app, self.web("1.0.0"))
        self.settled(app, "Running")
        self.control({"start_s": 1})
        self.s.put(app, self.web("1.0.1"))
        active = [r["properties"]["active"] for r in self.s.get(app + "/revisions")["value"]]
        self.assertEqual(active, [True, True])
        self.settled(app, "Running")
        until(lambda: [r["properties"]["active"] for r in self.s.get(app + "/revisions")["value"]] == [True, False])
        properties = self.s.get(app)["properties"]
        self.assertEqual(properties["latestRevisionName"], properties["latestReadyRevisionName"])

    def test_secret_alone_makes_no_revision(self):
        app = self.s.id(APP, "containerApps/secret")
        env = [{"name": "PASSWORD", "secretRef": "password"}]
        self.s.put(app, self.web("1.0.0", env=env, secrets=[{"name": "password", "value": "one"}]))
        self.settled(app, "Running")
        self.s.put(app, self.web("1.0.0", env=env, secrets=[{"name": "password", "value": "two"}]))
        self.assertEqual(len(self.s.get(app + "/revisions")["value"]), 1)
        name = self.s.get(app)["properties"]["latestRevisionName"]
        self.assertEqual(self.s.call("POST", "%s/revisions/%s/restart" % (app, name))[0], 200)
        until(lambda: {"one", "two"} <= {e["environment"].get("PASSWORD") for e in self.events("start")}, 30)

    def events(self, kind):
        try:
            with open(os.path.join(self.notes, "log.jsonl")) as f:
                return [e for e in map(json.loads, f) if e["event"] == kind]
        except OSError:
            return []

    def test_reasons(self):
        rows = [
            ("probe", {"health": 503}, "langfuse/langfuse", "ProbeFailed", "HTTP 503"),
            ("crash", {"exit": 7}, "langfuse/langfuse", "CrashLoopBackOff", "exit code '7'"),
            ("unmapped", {}, "example/unknown", "ImageNotMapped", "example/unknown:1.0.0"),
        ]
        for name, settings, image, reason, text in rows:
            with self.subTest(name):
                self.control(settings)
                app = self.s.id(APP, "containerApps/why-" + name)
                self.s.put(app, self.web("1.0.0", image=image))
                properties = self.settled(app, "Failed")
                self.assertEqual((properties["reason"], properties["healthState"]), (reason, "Unhealthy"))
                self.assertIn(text, properties["detail"])
                self.s.delete(app)

    def test_deactivated_revision_stops(self):
        app = self.s.id(APP, "containerApps/stopped")
        self.s.put(app, self.web("1.0.0"))
        self.settled(app, "Running")
        name = self.s.get(app)["properties"]["latestRevisionName"]
        self.assertEqual(self.s.call("POST", "%s/revisions/%s/deactivate" % (app, name))[0], 200)
        until(lambda: self.s.revision(app)["replicas"] == 0)
        self.assertEqual(self.s.call("POST", "%s/revisions/%s/activate" % (app, name))[0], 200)
        self.settled(app, "Running")

    def test_job_ends_with_its_exit_status(self):
        job = self.s.id(APP, "jobs/migrate")
        self.s.put(job, {"location": "japaneast", "properties": {
            "environmentId": self.s.environment,
            "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "replicaRetryLimit": 0,
                              "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1}},
            "template": {"containers": [{"name": "migrate", "image": "langfuse/langfuse:3.0.0", "args": ["true"],
                                         "resources": {"cpu": 0.5, "memory": "1Gi"}}]}}})
        for settings, want in (({}, "Succeeded"), ({"exit": 5}, "Failed")):
            self.control({"migrate": settings})
            status, started, _ = self.s.call("POST", job + "/start")
            self.assertIn(status, (200, 202))

            def look():
                p = self.s.get(job + "/executions/" + started["name"])["properties"]
                return p if p["status"] != "Running" else None
            properties = until(look, 30)
            self.assertEqual(properties["status"], want, properties)
        self.assertIn("exit code '5'", properties["detail"])

    def test_clickhouse_with_the_stacks_own_files(self):
        need("clickhouse-server", "clickhouse-client")
        s = self.s
        files = os.path.join(ROOT, "services", "clickhouse")
        account = s.id("Microsoft.Storage", "storageAccounts/stnfs4711")
        s.put(account, {"location": "japaneast", "kind": "FileStorage", "sku": {"name": "Premium_LRS"},
                        "properties": {"supportsHttpsTrafficOnly": False}}, "2025-08-01")
        s.put(account + "/fileServices/default/shares/data", {"properties": {
            "enabledProtocols": "NFS", "shareQuota": 100, "rootSquash": "NoRootSquash"}}, "2025-08-01")
        s.put(s.environment + "/storages/data", {"properties": {"nfsAzureFile": {
            "server": "stnfs4711.file.core.windows.net", "shareName": "/stnfs4711/data", "accessMode": "ReadWrite"}}})
        app = s.id(APP, "containerApps/clickhouse")

        def body(password):
            with open(os.path.join(files, "users.xml")) as f:
                users = f.read().replace("@USER@", "shop")
            users = users.replace("@PASSWORD_SHA256@", hashlib.sha256(password.encode()).hexdigest())
            with open(os.path.join(files, "config.xml")) as f:
                config = f.read()
            mounts = [{"volumeName": "data", "mountPath": "/var/lib/clickhouse"},
                      {"volumeName": "own", "mountPath": "/etc/deployer"},
                      {"volumeName": "own", "mountPath": "/etc/clickhouse-server/config.d/deployer.xml", "subPath": "config.xml"}]
            volumes = [{"name": "data", "storageType": "NfsAzureFile", "storageName": "data"},
                       {"name": "own", "storageType": "Secret", "secrets": [
                           {"secretRef": "users", "path": "users.xml"}, {"secretRef": "config", "path": "config.xml"}]}]
            probe = {"type": "Startup", "httpGet": {"path": "/ping", "port": 8123}, "periodSeconds": 5, "failureThreshold": 10}
            return app_body(s, {"image": "clickhouse/clickhouse-server:25.12", "volumeMounts": mounts, "probes": [probe],
                                "env": [{"name": "CLICKHOUSE_SKIP_USER_SETUP", "value": "1"},
                                        {"name": "DIGEST", "value": hashlib.sha256(password.encode()).hexdigest()[:16]}]},
                            ingress={"external": True, "transport": "tcp", "targetPort": 9000, "exposedPort": 9000,
                                     "additionalPortMappings": [{"external": True, "targetPort": 8123, "exposedPort": 8123}]},
                            secrets=[{"name": "users", "value": users}, {"name": "config", "value": config}],
                            volumes=volumes, name="clickhouse")

        def client(password, sql):
            return run("clickhouse-client", "--host", s.mapped(s.static_ip), "--port", "9000", "--user", "shop",
                       "--password", password, "--query", sql)[1]

        s.put(app, body("first-1"))
        self.assertEqual(self.settled(app, "Running", "Failed")["runningState"], "Running")
        self.assertEqual(client("first-1", "create table t (a Int32) engine=MergeTree order by a"), "")
        self.assertEqual(client("first-1", "insert into t values (7)"), "")
        url = "http://%s:8123/?query=select+a+from+t" % s.mapped(s.static_ip)
        self.assertEqual(run("curl", "-s", url, "-H", "X-ClickHouse-User: shop", "-H", "X-ClickHouse-Key: first-1")[1], "7")
        # One writer on one volume: the second server does not start beside the first.
        s.put(app, body("second-2"))
        properties = self.settled(app, "Failed")
        self.assertEqual(properties["reason"], "CrashLoopBackOff")
        old = s.get(app)["properties"]["latestReadyRevisionName"]
        s.call("POST", "%s/revisions/%s/deactivate" % (app, old))
        self.settled(app, "Running")
        self.assertEqual(client("second-2", "select a from t"), "7")
        self.assertIn("Wrong password", client("first-1", "select 1"))
        s.delete(app)


class Endings(unittest.TestCase):
    """What must be true of every sandbox, however it ends."""

    def small(self, **options):
        s = Sandbox(**options)
        self.addCleanup(s.remove)
        s.make_network("10.80")
        s.cache = s.id("Microsoft.Cache", "redisEnterprise/small-test")
        s.put(s.cache, {"location": "japaneast", "sku": {"name": "Balanced_B0"},
                        "properties": {"publicNetworkAccess": "Disabled"}})
        s.put(s.cache + "/databases/default", DataServices.database("NoCluster"))
        s.at = s.make_endpoint("small", s.cache, "redisEnterprise", ZONES["redis"])
        return s

    def ping(self, s):
        key = s.call("POST", s.cache + "/databases/default/listKeys")[1]["primaryKey"]
        return run("redis-cli", "--no-auth-warning", "--tls", "--cacert", s.info["ca"], "-h", s.mapped(s.at), "-p", "10000",
                   "ping", env={"REDISCLI_AUTH": key})[1]

    def test_killed_sandbox_leaves_no_process(self):
        need("redis-server", "redis-cli", "dnsmasq")
        s = self.small()
        self.assertGreater(len(processes_of(s.folder)), 2)
        s.process.send_signal(signal.SIGKILL)
        s.stop()
        until(lambda: processes_of(s.folder) == [], 5)

    def test_two_sandboxes_side_by_side(self):
        need("redis-server", "redis-cli", "dnsmasq")
        one, two = self.small(), self.small()
        self.assertNotEqual(one.info["address_map"], two.info["address_map"])
        self.assertEqual((one.at, self.ping(one), self.ping(two)), (two.at, "PONG", "PONG"))
        one.stop()
        self.assertEqual(self.ping(two), "PONG")
        two.stop()
        self.assertEqual(processes_of(one.folder) + processes_of(two.folder), [])

    def test_deleted_resources_leave_nothing(self):
        need("redis-server", "redis-cli", "dnsmasq")
        s = self.small()
        s.delete(s.group, "2025-04-01")
        until(lambda: processes_of(s.folder, guardian=False) == [s.process.pid], 20)
        s.stop()

    def test_as_an_ordinary_user(self):
        need("redis-server", "redis-cli", "dnsmasq", "initdb")
        if os.geteuid() != 0:
            raise unittest.SkipTest("missing: root, to become somebody else")
        try:
            pwd.getpwnam("nobody")
        except KeyError:
            raise unittest.SkipTest("missing: the user nobody")
        if not os.access(SANDBOX, os.X_OK) or run("setpriv", "--reuid=nobody", "test", "-x", SANDBOX)[0] != 0:
            raise unittest.SkipTest("missing: a build that other users may run")
        s = self.small(user="nobody")
        self.assertEqual(self.ping(s), "PONG")
        server = s.id("Microsoft.DBforPostgreSQL", "flexibleServers/nobody-test")
        s.put(server, s.server("Nobody.pass-1"), "2025-08-01")
        s.stop()
        self.assertEqual(processes_of(s.folder), [])

    def test_without_services_nothing_runs(self):
        s = Sandbox(services="none")
        self.addCleanup(s.remove)
        s.make_network("10.81")
        s.make_environment()
        app = s.id(APP, "containerApps/fake")
        s.put(app, app_body(s, {"image": "example/unknown:1"}))
        self.assertEqual(s.revision(app)["runningState"], "Running")
        self.assertEqual(processes_of(s.folder), [s.process.pid])


if __name__ == "__main__":
    unittest.main()
