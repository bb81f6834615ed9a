"""Kills deployer before its Nth request or write of the state, for any N, and runs it again: same cloud, nothing
created twice, nothing forgotten, no manual step."""
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


class Killer:
    """One folder with the Langfuse example, started anew for each point."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="deployer-kill-")
        self.library = os.path.join(self.dir, "die.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", self.library,
                        os.path.join(TOP, "tests", "torture", "die.c"), "-ldl"], check=True)
        self.expected = None
        self.applied = None

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def fresh(self, name):
        folder = os.path.join(self.dir, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, "stack"))
        for source, target in (("stack.yaml", "stack.yaml"), (".env.example", ".env")):
            shutil.copy(os.path.join(TOP, "examples", "langfuse", source), os.path.join(folder, "stack", target))
        return folder

    def applied_copy(self, name):
        """As after a whole apply."""
        if self.applied is None:
            self.applied = self.fresh("applied")
            sandbox = stacks.Sandbox(os.path.join(self.applied, "sandbox"))
            done = self.run(self.applied, "apply")
            sandbox.close()
            assert done.returncode == 0, done.stderr.decode()
        folder = os.path.join(self.dir, name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.applied, folder)
        return folder

    def run(self, folder, verb, **env):
        args = [stacks.DEPLOYER, verb, ".", "--target", "sandbox", "--sandbox-dir", os.path.join(folder, "sandbox")]
        if verb != "plan":
            args += ["--yes"]
        return subprocess.run(args + (["--detailed-exitcode"] if verb == "plan" else []),
                              cwd=os.path.join(folder, "stack"), env=stacks.clean_env(env), timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def preload(self):
        return {"LD_PRELOAD": self.library}

    def count(self, verb):
        """How many points there are to die at."""
        folder = self.fresh("count") if verb == "apply" else self.applied_copy("count")
        if verb == "change":
            self.change(folder)
        sandbox = stacks.Sandbox(os.path.join(folder, "sandbox"))
        path = os.path.join(folder, "calls")
        done = self.run(folder, "apply" if verb == "change" else verb, DIE_COUNT=path, **self.preload())
        kept = sandbox.resources()
        sandbox.close()
        assert done.returncode == 0, done.stderr.decode()
        self.expected = named(kept)
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
        folder = self.fresh("run") if verb == "apply" else self.applied_copy("run")
        if verb == "change":
            self.change(folder)
        sandbox = stacks.Sandbox(os.path.join(folder, "sandbox"))
        try:
            return self.judge(folder, sandbox, "apply" if verb == "change" else verb, n)
        finally:
            sandbox.close()

    def judge(self, folder, sandbox, verb, n):
        before = len(sandbox.requests()) if os.path.exists(os.path.join(sandbox.dir, "requests.jsonl")) else 0
        died = self.run(folder, verb, DIE_AT=str(n), **self.preload())
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
        kept = named(sandbox.resources())
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
