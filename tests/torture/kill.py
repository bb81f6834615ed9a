"""Kills deployer before its Nth request or write of the state, for any N, and runs it again: same cloud, nothing
created twice, nothing forgotten, no manual step. What is killed (a verb here): `apply` of the whole stack, a `change` of
two services, a `reset` (parameters of the server leave the file: none can be deleted, each is set back), `destroy`."""
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


PARAMETERS = 'parameters: {log_connections: "on", work_mem: "8192", statement_timeout: "60000"}'
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
        self.empty = None
        self.applied = {}

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

    def applied_copy(self, name, what="applied", *changes):
        """As after a whole apply; of the file with these changes."""
        if what not in self.applied:
            folder = self.fresh(what)
            self.edit(folder, *changes)
            sandbox = self.start(folder)
            done = self.run(folder, "apply")
            sandbox.close()
            assert done.returncode == 0, done.stderr.decode()
            self.applied[what] = folder
        return self.copy(self.applied[what], name)

    def run(self, folder, verb, **env):
        args = [stacks.DEPLOYER, verb, ".", "--target", "sandbox", "--sandbox-dir", os.path.join(folder, "sandbox"),
                *self.state.options(os.path.basename(folder))]
        # A session whose client died lets go of its lock when the server notices.
        args += ["--detailed-exitcode"] if verb == "plan" else ["--yes", "--lock-timeout", "10s"]
        return subprocess.run(args, cwd=os.path.join(folder, "stack"), timeout=120, stdin=subprocess.DEVNULL,
                              env=stacks.clean_env({"LD_PRELOAD": self.library, **env}),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kept(self, sandbox):
        """The ids of what there is, parameters with their value; ends the sandbox, so that all is on disk."""
        sandbox.stop()
        with open(os.path.join(sandbox.dir, "state.json")) as f:
            resources = json.load(f)["resources"]
        return named(r["id"] + self.value_of(r) for r in resources)

    def value_of(self, resource):
        if "/configurations/" not in resource["id"]:
            return ""
        properties = resource["doc"]["properties"]
        return " = %s (%s)" % (properties["value"], properties.get("source"))

    def edit(self, folder, *changes):
        path = os.path.join(folder, "stack", "stack.yaml")
        with open(path) as f:
            text = f.read()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        with open(path, "w") as f:
            f.write(text)

    def begin(self, verb, name):
        """Returns the folder, what is run in it, and its sandbox."""
        if verb == "apply":
            folder = self.fresh(name)
        elif verb == "change":
            folder = self.applied_copy(name)
            self.edit(folder, ("with: {version: 16}", "with: {version: 16, backup_days: 9}"),
                      ("blob: {use: blob}", "blob: {use: blob, with: {keep_deleted_days: 3}}"))
        elif verb == "reset":
            folder = self.applied_copy(name, "with-parameters",
                                       ("with: {version: 16}", "with: {version: 16, %s}" % PARAMETERS))
            self.edit(folder, (", " + PARAMETERS, ""))
        else:
            folder = self.applied_copy(name)
        return folder, "destroy" if verb == "destroy" else "apply", self.start(folder)

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
