"""A folder with the Langfuse example and a sandbox of its own, and runs of the CLI on it."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import support

TOP = support.ROOT
DEPLOYER = os.environ.get("DEPLOYER", support.DEPLOYER)


def clean_env(more=None):
    """Without the variables of whoever runs the tests."""
    keep = ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR")
    env = {k: v for k, v in os.environ.items() if k in keep}
    env.update(more or {})
    return env


class Sandbox(support.Sandbox):
    """A sandbox in a folder that is given (and stays); `dir` is what --sandbox-dir wants."""

    def __init__(self, folder, services="none", latency="0", faults=None):
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-test-")
        self.dir = folder
        self.faults_file = os.path.join(self.folder.name, "faults.yaml")
        self.args = ["--services", services, "--latency", str(latency)]
        if faults is not None:
            self.set_faults(faults)
            self.args += ["--faults", self.faults_file]
        self.process = self.token = None
        self.start()

    def close(self):
        self.stop()
        self.folder.cleanup()

    def requests(self):
        """ARM's alone: not those for tokens and metadata."""
        if not os.path.exists(os.path.join(self.dir, "requests.jsonl")):
            return []
        with open(os.path.join(self.dir, "requests.jsonl")) as f:
            rows = [json.loads(line) for line in f if line.endswith("\n")]
        return [r for r in rows if r["path"].startswith("/subscriptions/")]

    def resources(self):
        """{id: stored resource}. Stops and starts the sandbox, so that all is on disk."""
        self.restart()
        with open(os.path.join(self.dir, "state.json")) as f:
            return {r["id"]: r for r in json.load(f)["resources"]}


class Result:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8")
        self.err = done.stderr.decode("utf-8")

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return "exit %d\n%s\n%s" % (self.status, self.out, self.err)


class SandboxTest(unittest.TestCase):
    """A test with a folder, a sandbox and the Langfuse example."""
    services = "none"
    latency = "0"
    faults = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="deployer-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.sandbox = Sandbox(os.path.join(self.dir, "sandbox"), self.services, self.latency, self.faults)
        self.addCleanup(self.sandbox.close)
        self.stack = os.path.join(self.dir, "stack")
        os.makedirs(self.stack)
        self.write("stack.yaml", self.example("stack.yaml"))
        self.write(".env", self.example(".env.example"))

    def start_applied(self):
        """As after setUp and an apply; applied once a class, copied for each test."""
        cls = type(self)
        if "template" not in cls.__dict__:
            self.apply()
            self.sandbox.stop()
            cls.template = tempfile.mkdtemp(prefix="deployer-template-")
            cls.addClassCleanup(shutil.rmtree, cls.template, ignore_errors=True)
            shutil.copytree(self.dir, os.path.join(cls.template, "t"))
        else:
            self.sandbox.stop()
            shutil.rmtree(self.dir)
            shutil.copytree(os.path.join(cls.template, "t"), self.dir)
        self.sandbox.start()

    def example(self, name):
        with open(os.path.join(TOP, "examples", "langfuse", name)) as f:
            return f.read()

    def read(self, name):
        with open(os.path.join(self.stack, name)) as f:
            return f.read()

    def write(self, name, text):
        with open(os.path.join(self.stack, name), "w") as f:
            f.write(text)

    def edit(self, name, old, new):
        text = self.read(name)
        self.assertIn(old, text)
        self.write(name, text.replace(old, new))

    def command(self, verb, *args):
        return [DEPLOYER, verb, ".", "--target", "sandbox", "--sandbox-dir", self.sandbox.dir, *args]

    def run_cli(self, verb, *args, status=0, env=None, seconds=120):
        done = subprocess.run(self.command(verb, *args), cwd=self.stack, env=clean_env(env), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
        result = Result(done)
        if status is not None:
            self.assertEqual(result.status, status, str(result))
        return result

    def start_cli(self, verb, *args, env=None):
        return subprocess.Popen(self.command(verb, *args), cwd=self.stack, env=clean_env(env),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def apply(self, *args, **more):
        return self.run_cli("apply", "--yes", *args, **more)

    def plan(self, *args, **more):
        """The plan's JSON."""
        return self.run_cli("plan", "-o", "json", *args, **more).json()

    def changing(self, plan):
        """{address: action} of what would change."""
        return {a["address"]: a for a in plan["actions"] if a["action"] not in ("none", "read")}

    def assert_no_change(self):
        result = self.run_cli("plan", "--detailed-exitcode", status=None)
        self.assertEqual(result.status, 0, str(result))

    def state(self):
        return json.loads(self.read(os.path.join(".deployer", "langfuse.json")))
