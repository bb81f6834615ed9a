"""What integration tests share: a sandbox on a free port in a folder of its own, requests to it, the CLI."""
import http.client
import json
import os
import re
import ssl
import subprocess
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DEPLOYER_BUILD") or os.environ.get("BUILD") or os.path.join(ROOT, "build", os.environ.get("VARIANT", "release"))
SANDBOX = os.path.join(BUILD, "deployer-sandbox")
DEPLOYER = os.path.join(BUILD, "deployer")


def cli(*args, cwd=None, env=None, timeout=120, stdin=subprocess.DEVNULL):
    """Runs deployer; the result has returncode, stdout and stderr as text."""
    return subprocess.run([DEPLOYER, *args], cwd=cwd, env=env, timeout=timeout, stdin=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text) if self.text else None

    @property
    def code(self):
        """ARM's error code, or Entra's error."""
        error = (self.json or {}).get("error")
        return error.get("code") if isinstance(error, dict) else error

    @property
    def message(self):
        return self.json["error"]["message"]


class Sandbox:
    """A running deployer-sandbox; a context manager that ends it by its process id."""

    def __init__(self, latency=0, services="none", faults=None, args=()):
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-test-")
        self.dir = os.path.join(self.folder.name, "sandbox")
        self.faults_file = os.path.join(self.folder.name, "faults.yaml")
        self.args = ["--latency", str(latency), "--services", services, *args]
        if faults is not None:
            self.set_faults(faults)
            self.args += ["--faults", self.faults_file]
        self.process = self.token = None
        self.start()

    def set_faults(self, text):
        with open(self.faults_file, "w") as f:
            f.write(text)

    def start(self):
        self.log = open(os.path.join(self.folder.name, "log"), "a")
        self.process = subprocess.Popen([SANDBOX, "--dir", self.dir, *self.args], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        ready = os.path.join(self.dir, "sandbox.json")
        deadline = time.time() + 60
        while True:
            if self.process.poll() is not None or time.time() > deadline:
                raise AssertionError("the sandbox did not start: " + open(self.log.name).read())
            try:
                with open(ready) as f:
                    self.info = json.load(f)
                if self.info["pid"] == self.process.pid:
                    break
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        url = urllib.parse.urlsplit(self.info["endpoint"])
        self.port, self.host = url.port, "127.0.0.1"
        self.tls = ssl.create_default_context(cafile=self.info["ca"])
        self.subscription = "/subscriptions/" + self.info["subscription"]

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.log.close()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def send(self, method, path, body=None, headers=None, host=None):
        """One request as it is; no token is added."""
        connection = http.client.HTTPSConnection(host or self.host, self.port, context=self.tls, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def login(self, **fields):
        """POST to the token endpoint; the client's secret unless fields say otherwise."""
        with open(self.info["client_secret"]) as f:
            secret = f.read()
        form = {"grant_type": "client_credentials", "client_id": self.info["client_id"], "client_secret": secret,
                "scope": "https://management.azure.com/.default"}
        form.update(fields)
        form = {k: v for k, v in form.items() if v is not None}
        return self.send("POST", "/%s/oauth2/v2.0/token" % self.info["tenant"], urllib.parse.urlencode(form),
                         {"Content-Type": "application/x-www-form-urlencoded"})

    def call(self, method, path, body=None, version=None, headers=None, host=None):
        """One ARM request with a token; `version` is added as api-version."""
        if self.token is None:
            self.token = self.login().json["access_token"]
        if version is not None:
            path += ("&" if "?" in path else "?") + "api-version=" + version
        send = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"}
        send.update(headers or {})
        return self.send(method, path, None if body is None else json.dumps(body), send, host)

    def requests(self):
        """What was asked so far, from DIR/requests.jsonl."""
        with open(os.path.join(self.dir, "requests.jsonl")) as f:
            return [json.loads(line) for line in f]

    def wait(self, answer, timeout=20):
        """Follows an operation to its end; the last answer."""
        url = answer.headers["Azure-AsyncOperation"] or answer.headers["Location"]
        is_status = answer.headers["Azure-AsyncOperation"] is not None
        deadline = time.time() + timeout
        while time.time() < deadline:
            last = self.call("GET", re.sub("^https://[^/]*", "", url))
            if (is_status and last.json["status"] != "InProgress") or (not is_status and last.status != 202):
                return last
            time.sleep(0.05)
        raise AssertionError("the operation does not end: " + url)


class Stack:
    """A folder with a stack file, and the CLI run in it against a sandbox."""

    def __init__(self, sandbox, text, env=""):
        self.sandbox = sandbox
        self.folder = tempfile.TemporaryDirectory(prefix="stack-test-")
        self.dir = self.folder.name
        self.write("stack.yaml", text)
        self.write(".env", env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def run(self, verb, *args, env=None):
        """The command on the stack; its environment is clean but for `env`."""
        keep = ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")
        clean = {k: v for k, v in os.environ.items() if k in keep}
        clean.update(env or {})
        return cli(verb, "stack.yaml", "--target", "sandbox", "--sandbox-dir", self.sandbox.dir, *args, cwd=self.dir,
                   env=clean)
