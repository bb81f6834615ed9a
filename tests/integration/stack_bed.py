"""One applied stack with real services, for the tests that look at a running one."""
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

from support import DEPLOYER, ROOT, SANDBOX

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(ROOT, "examples", "langfuse", "stack.yaml")
SERVERS = ("redis-server", "clickhouse-server")


def missing():
    """What real services need and this machine lacks, or None."""
    for name in SERVERS:
        if shutil.which(name) is None:
            return "missing: " + name
    return None


class Bed:
    """Sandbox with real services, Langfuse's images played by standin.py, the example applied (or `is_bare`: not yet)."""

    def __init__(self, is_bare=False):
        self.folder = tempfile.mkdtemp(prefix="bed-")
        os.chmod(self.folder, 0o755)  # services drop their rights and must get in
        self.dir = os.path.join(self.folder, "sandbox")
        self.env = {**os.environ, "STANDIN": os.path.join(HERE, "standin.py"), "STANDIN_LOG": "",
                    "STANDIN_CONTROL": os.path.join(self.folder, "control.json")}
        if is_bare:  # whoever deploys may want to know what ran
            self.env["STANDIN_LOG"] = os.path.join(self.folder, "events.jsonl")
        self.env.pop("CI", None)
        self.process = None
        try:
            self.start()
            if not is_bare:
                self.deploy()
        except BaseException:
            self.close()
            raise

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [SANDBOX, "--dir", self.dir, "--services", "real", "--latency", "0", "--images", os.path.join(HERE, "images.yaml")],
            env=self.env, cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        ready, deadline = os.path.join(self.dir, "sandbox.json"), time.time() + 90
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.time() > deadline:
                raise AssertionError("the sandbox did not start: " + open(self.log.name).read()[-2000:])
            time.sleep(0.05)
        with open(ready) as f:
            self.info = json.load(f)

    def deploy(self):
        shutil.copy(EXAMPLE, os.path.join(self.folder, "stack.yaml"))
        for args in (["init", self.folder], ["apply", "stack.yaml", *self.on(), "--yes"]):
            done = self.run(*args, timeout=240)
            if done.returncode != 0:
                raise AssertionError("%s: %s%s" % (args[0], done.stdout[-3000:], done.stderr[-3000:]))

    def on(self):
        return ["--target", "sandbox", "--sandbox-dir", self.dir]

    def run(self, *args, env=None, timeout=120):
        return subprocess.run([DEPLOYER, *args], cwd=self.folder, env={**self.env, **(env or {})}, timeout=timeout, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def verify(self, *args, env=None):
        """Exit status and the JSON document."""
        done = self.run("verify", "stack.yaml", *self.on(), *args, "-o", "json", env=env)
        if not done.stdout.startswith("{"):
            raise AssertionError("exit status %d: %s" % (done.returncode, done.stderr))
        return done.returncode, json.loads(done.stdout)

    def probe(self, url, *args):
        done = self.run("probe", url, "--resolver", self.info["dns"], "--address-map", self.info["address_map"],
                        "--ca", self.info["ca"], *args, "-o", "json")
        if not done.stdout.startswith("{"):
            raise AssertionError("exit status %d: %s" % (done.returncode, done.stderr))
        return done.returncode, json.loads(done.stdout)

    def outputs(self):
        return json.loads(self.run("outputs", "stack.yaml", *self.on(), "--reveal", "-o", "json").stdout)

    def arm(self, method, path, version, body=None):
        """One request to the control plane, below the resource group's providers."""
        info, tls = self.info, ssl.create_default_context(cafile=self.info["ca"])
        with open(info["client_secret"]) as f:
            form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": info["client_id"],
                                           "client_secret": f.read().strip(), "scope": "https://management.azure.com/.default"})
        url = "%s/%s/oauth2/v2.0/token" % (info["endpoint"], info["tenant"])
        with urllib.request.urlopen(urllib.request.Request(url, form.encode()), context=tls) as answer:
            token = json.load(answer)["access_token"]
        url = "%s/subscriptions/%s/resourceGroups/rg-langfuse-dev/providers/%s?api-version=%s" % (
            info["endpoint"], info["subscription"], path, version)
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), method=method)
        request.add_header("Authorization", "Bearer " + token)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, context=tls) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    @staticmethod
    def until(holds, seconds=20):
        end = time.time() + seconds
        while not holds():
            if time.time() > end:
                raise AssertionError("did not come about in %d s" % seconds)
            time.sleep(0.1)

    @contextlib.contextmanager
    def closed_port(self, port):
        """Meanwhile the rules of the private endpoints' subnet don't let the port through."""
        path, version = "Microsoft.Network/networkSecurityGroups/nsg-langfuse-pe", "2025-09-01"
        group = self.arm("GET", path, version)
        rules = group["properties"]["securityRules"]
        changed = [{**r, "properties": {**r["properties"]}} for r in rules]
        first = changed[0]["properties"]
        first["destinationPortRanges"] = [p for p in first["destinationPortRanges"] if p != port]
        body = {"location": group["location"], "tags": group["tags"]}
        self.arm("PUT", path, version, {**body, "properties": {"securityRules": changed}})
        try:
            yield
        finally:
            self.arm("PUT", path, version, {**body, "properties": {"securityRules": rules}})

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


_bed = None


def shared():
    """The one bed of this run of tests; it ends with the process."""
    global _bed
    if _bed is None:
        import atexit
        _bed = Bed()
        atexit.register(_bed.close)
    return _bed


def by_name(document):
    return {c["name"]: c for c in document["checks"]}


def ids(document):
    return [f["runbook"] for f in document["findings"]]
