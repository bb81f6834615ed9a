#!/usr/bin/env python3
"""Measures what users wait for: run.py BUILD. Prints JSON; medians of CPU seconds (user + system) and
counts of requests. No verdict: machines are noisy, and a figure means something beside another one
that was taken in the same run.
"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "release"))
DEPLOYER = os.path.join(BUILD, "deployer")
RUNS = int(os.environ.get("BENCH_RUNS", "9"))
ZONES, RECORDS = 20, 1000


def cpu(args, env, runs=RUNS, statuses=(0,)):
    """Median CPU seconds and peak memory of a command."""
    seconds = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        p = subprocess.run([DEPLOYER, *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if p.returncode not in statuses:
            sys.exit("%s: exit status %d\n%s" % (" ".join(args), p.returncode, p.stdout[-2000:]))
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"cpu_s": round(statistics.median(seconds), 4), "runs": runs, "spread_s": [round(min(seconds), 4), round(max(seconds), 4)]}


def records_stack(folder):
    """1,000 records in 20 zones, and the folder of the service that makes them."""
    zones = ["zone-%02d.example" % i for i in range(ZONES)]
    lines = ["deployer: 1", "stack: records", "location: japaneast", "catalog: %s" % os.path.join(HERE, "catalog"),
             "azure: {subscription: 00000000-0000-0000-0000-000000000000, resource_group: rg-records}",
             "services:", "  dns:", "    use: records", "    with:", "      zones: [%s]" % ", ".join(zones), "      records:"]
    for i in range(RECORDS):
        lines.append("        r%04d: {zone: %s, name: host-%04d, address: 10.1.%d.%d}" % (i, zones[i % ZONES], i, i // 250, i % 250 + 1))
    path = os.path.join(folder, "records", "stack.yaml")
    os.makedirs(os.path.dirname(path))
    open(path, "w").write("\n".join(lines) + "\n")
    return path


def requests(sandbox):
    return sum(1 for _ in open(os.path.join(sandbox, "requests.jsonl")))


def on_sandbox(stack, sandbox, env):
    """Apply once, then plan: CPU and requests of each."""
    on = ["--target", "sandbox", "--sandbox-dir", sandbox, "--state", os.path.join(os.path.dirname(stack), "state.json")]
    first = requests(sandbox)
    apply = cpu(["apply", stack, *on, "--yes"], env, runs=1)
    second = requests(sandbox)
    plan = cpu(["plan", stack, *on, "--detailed-exitcode"], env)
    apply["requests"] = second - first
    plan["requests"] = (requests(sandbox) - second) // RUNS
    return {"apply": apply, "plan_without_changes": plan}


def verify_of(stack, sandbox, env):
    """verify of an applied stack with real services: the whole beside its slowest check and the sum of all, in milliseconds."""
    rows = []
    for _ in range(RUNS):
        done = subprocess.run([DEPLOYER, "verify", stack, "--target", "sandbox", "--sandbox-dir", sandbox, "-o", "json"], env=env,
                              stdout=subprocess.PIPE, text=True)
        document = json.loads(done.stdout)
        durations = [c["duration_ms"] for c in document["checks"]]
        rows.append((document["duration_ms"], max(durations), sum(durations)))
    whole, slowest, total = (statistics.median(r[i] for r in rows) for i in range(3))
    return {"checks": len(durations), "whole_ms": whole, "slowest_ms": slowest, "sum_ms": total,
            "whole_to_slowest": round(statistics.median(r[0] / max(r[1], 1) for r in rows), 3), "runs": RUNS}


def main():
    if len(sys.argv) > 3 and sys.argv[2] == "verify":  # run.py BUILD verify STACK SANDBOX_DIR: of one that is there
        print(json.dumps({"verify": verify_of(sys.argv[3], sys.argv[4], os.environ.copy())}, indent=2))
        return
    folder = tempfile.mkdtemp(prefix="deployer-bench-")
    env = {**os.environ, "NO_COLOR": "1"}
    sandbox = os.path.join(folder, "sandbox")
    result = {"format_version": 1, "build": subprocess.check_output([DEPLOYER, "version"], text=True).strip()}
    try:
        langfuse = os.path.join(folder, "langfuse", "stack.yaml")
        os.makedirs(os.path.dirname(langfuse))
        shutil.copy(os.path.join(ROOT, "examples", "langfuse", "stack.yaml"), langfuse)
        subprocess.run([DEPLOYER, "init", os.path.dirname(langfuse)], check=True, stdout=subprocess.DEVNULL)
        many = records_stack(folder)
        result["langfuse"] = {"validate": cpu(["validate", langfuse], env)}
        result["records_1000"] = {"validate": cpu(["validate", many], env)}
        subprocess.run([DEPLOYER, "sandbox", "start", "--dir", sandbox, "--services", "none", "--latency", "0"], check=True,
                       stdout=subprocess.DEVNULL)
        result["langfuse"].update(on_sandbox(langfuse, sandbox, env))
        result["records_1000"].update(on_sandbox(many, sandbox, env))
    finally:
        if os.path.isdir(sandbox):
            subprocess.run([DEPLOYER, "sandbox", "stop", "--dir", sandbox], stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
