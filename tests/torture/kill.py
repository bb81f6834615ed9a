"""Kills deployer before its Nth request or write of the state, for any N, and runs it again: same cloud, nothing
created twice, nothing forgotten, no manual step."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import stacks  # noqa: E402


GENERATED = re.compile(r"[a-z]+-[0-9a-f]{8}\.([a-z0-9]+)\.azurecontainerapps\.io")


def named(ids):
    """Without what the service makes up: the environment's domain."""
    return {GENERATED.sub(r"DOMAIN.\1.azurecontainerapps.io", i) for i in ids}


class Local:
    """The state beside the stack file: copied with the folder."""

    def options(self, name):
        return []

    def copy(self, source, name):
        pass

    def forget(self, name):
        pass


class Postgres:
    """The state in a database: a row for each folder."""
    TABLES = {"deployer_state": "serial, snapshot, updated", "deployer_state_journal": "serial, line"}

    def __init__(self, server):
        self.server = server  # test_state.Postgres, set up

    def options(self, name):
        return ["--state", "postgres://owner@127.0.0.1:%d/postgres?state=%s" % (self.server.port, name)]

    def forget(self, name):
        for table in self.TABLES:
            self.server.psql("DELETE FROM %s WHERE name = '%s'" % (table, name))

    def copy(self, source, name):
        self.forget(name)
        for table, columns in self.TABLES.items():
            done = self.server.psql("INSERT INTO %s (name, %s) SELECT '%s', %s FROM %s WHERE name = '%s'"
                                    % (table, columns, name, columns, table, source))
            assert done.returncode == 0 or "does not exist" in done.stderr, done.stderr  # before the first run


class Killer:
    """One folder with the Langfuse example, started anew for each point. What costs time and is no matter here is
    made once: the sandbox's keys, a whole apply."""

    def __init__(self, state=None):
        self.dir = tempfile.mkdtemp(prefix="deployer-kill-")
        self.library = os.path.join(self.dir, "die.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", self.library,
                        os.path.join(TOP, "tests", "torture", "die.c"), "-ldl"], check=True)
        self.state = state or Local()
        self.expected = None
        self.empty = self.applied = None

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, folder):
        return stacks.Sandbox(os.path.join(folder, "sandbox"))

    def empty_folder(self):
        folder = os.path.join(self.dir, "empty")
        os.makedirs(os.path.join(folder, "stack"))
        for source, target in (("stack.yaml", "stack.yaml"), (".env.example", ".env")):
            shutil.copy(os.path.join(TOP, "examples", "langfuse", source), os.path.join(folder, "stack", target))
        self.start(folder).close()
        return folder

    def copy(self, source, name):
        folder = os.path.join(self.dir, name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        self.state.copy(os.path.basename(source), name)
        return folder

    def fresh(self, name):
        self.empty = self.empty or self.empty_folder()
        self.state.forget(name)
        return self.copy(self.empty, name)

    def applied_copy(self, name):
        """As after a whole apply."""
        if self.applied is None:
            folder = self.fresh("applied")
            sandbox = self.start(folder)
            done = self.run(folder, "apply")
            sandbox.close()
            assert done.returncode == 0, done.stderr.decode()
            self.applied = folder
        return self.copy(self.applied, name)

    def run(self, folder, verb, **env):
        args = [stacks.DEPLOYER, verb, ".", "--target", "sandbox", "--sandbox-dir", os.path.join(folder, "sandbox"),
                *self.state.options(os.path.basename(folder))]
        # A session whose client died lets go of its lock when the server notices.
        args += ["--detailed-exitcode"] if verb == "plan" else ["--yes", "--lock-timeout", "10s"]
        return subprocess.run(args, cwd=os.path.join(folder, "stack"), timeout=120, stdin=subprocess.DEVNULL,
                              env=stacks.clean_env({"LD_PRELOAD": self.library, **env}),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kept(self, sandbox):
        """The ids of what there is; ends the sandbox, so that all is on disk."""
        sandbox.stop()
        with open(os.path.join(sandbox.dir, "state.json")) as f:
            return named(r["id"] for r in json.load(f)["resources"])

    def begin(self, verb, name):
        folder = self.fresh(name) if verb == "apply" else self.applied_copy(name)
        if verb == "change":
            self.change(folder)
        return folder, "apply" if verb == "change" else verb, self.start(folder)

    def count(self, verb):
        """How many points there are to die at."""
        folder, verb, sandbox = self.begin(verb, "count")
        path = os.path.join(folder, "calls")
        done = self.run(folder, verb, DIE_COUNT=path)
        self.expected = self.kept(sandbox)
        sandbox.close()
        assert done.returncode == 0, done.stderr.decode()
        with open(path) as f:
            return int(f.read())

    def change(self, folder):
        path = os.path.join(folder, "stack", "stack.yaml")
        with open(path) as f:
            text = f.read()
        text = text.replace("with: {version: 16}", "with: {version: 16, backup_days: 9}")
        text = text.replace("blob: {use: blob}", "blob: {use: blob, with: {keep_deleted_days: 3}}")
        with open(path, "w") as f:
            f.write(text)

    def die_at(self, verb, n):
        """Returns what is wrong afterwards, or None."""
        folder, verb, sandbox = self.begin(verb, "run")
        try:
            return self.judge(folder, sandbox, verb, n)
        finally:
            sandbox.close()

    def judge(self, folder, sandbox, verb, n):
        before = len(sandbox.requests()) if os.path.exists(os.path.join(sandbox.dir, "requests.jsonl")) else 0
        died = self.run(folder, verb, DIE_AT=str(n))
        if died.returncode not in (-9, 0):
            return "exit %d instead of a kill: %s" % (died.returncode, died.stderr.decode()[-500:])
        again = self.run(folder, verb)
        if again.returncode != 0:
            return "the run after it: exit %d: %s" % (again.returncode, again.stderr.decode()[-1500:])
        created = [r["path"].lower() for r in sandbox.requests()[before:]
                   if r["method"] == "PUT" and r["status"] == 201]
        twice = {p for p in created if created.count(p) > 1}
        if twice:
            return "created twice: %s" % sorted(twice)
        if verb == "apply":
            plan = self.run(folder, "plan")
            if plan.returncode != 0:
                return "plan afterwards: exit %d: %s" % (plan.returncode, plan.stdout.decode()[-1500:])
        kept = self.kept(sandbox)
        if verb != "apply" and kept:
            return "left: %s" % sorted(kept)[:5]
        if verb == "apply" and kept != self.expected:
            return "another cloud: %s" % sorted(kept ^ self.expected)[:5]
        return None


def sweep(killer, verb, points=None, out=sys.stdout):
    """Dies at each point (or those given as a function of the count); returns (points tried, failures)."""
    total = killer.count(verb)
    chosen = list(points(total)) if points is not None else range(1, total + 1)
    failures = []
    for n in chosen:
        wrong = killer.die_at(verb, n)
        if wrong is not None:
            failures.append((n, wrong))
            print("%s: killed at %d of %d: %s" % (verb, n, total, wrong), file=out, flush=True)
    print("%s: %d points, killed at %d, %d wrong" % (verb, total, len(chosen), len(failures)), file=out, flush=True)
    return total, failures
