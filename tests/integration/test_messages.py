"""Every message that a user can get, each with the command that provokes it, in one file that people read: tests/data/messages.txt.

A message names its object and its place, the cause, and the next step. UPDATE=1 renews the file; read what changed as a user would.
What only a call below the command line reaches is shown by tests/unit/test_messages*.c in tests/data/messages-unit*.txt. What the source can
say (messages.py) and neither file nor another test shows is listed in tests/data/messages-unshown.txt.
"""
import json
import os
import re
import subprocess
import tempfile
import unittest

import messages
from support import DEPLOYER, ROOT, Sandbox

GOLDEN = os.path.join(ROOT, "tests", "data", "messages.txt")
UNIT_GOLDENS = [os.path.join(ROOT, "tests", "data", name) for name in ("messages-unit.txt", "messages-unit-run.txt")]  # of tests/unit/test_messages*.c
RUN_GOLDEN = os.path.join(ROOT, "tests", "data", "messages-run.txt")  # of test_messages_run.py
UNSHOWN = os.path.join(ROOT, "tests", "data", "messages-unshown.txt")
NEVER, BECAUSE = "# Can't be provoked: our own faults, the machine's disk and memory.", "    because "
SUBSCRIPTION = "5b500000-0000-4000-8000-000000000001"
HEAD = "deployer: 1\nstack: s\nlocation: japaneast\nazure: {subscription: %s, resource_group: rg-s}\n" % SUBSCRIPTION
STACK = HEAD + "services: {network: {use: network}}\n"
# One cause each, though it can be found in several places.
SAME = {
    "%s",  # the words of what it is made of: a file's own trouble under another kind
    "%s: %s",
    "%s%s%s",
    "there is no '%s' here",
    "%s: is locked by %s",
    "%s: was changed by somebody else",
    "%s: the lock was lost",
    "%s: nothing is at '%s'",
    "a text holds a NUL byte",
    "wants a list, got %s",
    "wants a text and a list of texts",
    "there is no function '%s'",
    "%s is not there",
    "not RESP: %s",
    "%s: no end within its time",
    "login by %s: %s",
    "a value that is no JSON",
    "there is no runbook %s: see deployer runbooks list",
    "env: the containers have different values of %s: choose one with --container",
    "refused without leave:%s",
    "%s: fsync",  # the words of the disk
    "%s: write",
    "%s: chmod",
    "%s: remove",
    "%s: read",
}


def tagged(expression, **more):
    """A stack file with an expression in it."""
    return {"s.yaml": HEAD[:-2] + ', tags: {a: "${%s}"}}\n' % expression + "services: {network: {use: network}}\n", **more}


def kind(text, head="format: 1\nkind: k\ntitle: k\ncloud: arm\ntype: A.B/c\napi_version: '1'\nscope: group\nupdate: put\nname: {min: 1, max: 9}\n"):
    return {"s.yaml": HEAD + "services: {x: {use: x}}\n", "c/templates/azure/k.yaml": head + text,
            "c/services/x/service.yaml": "format: 1\nservice: x\ntitle: x\nmain: r\nresources: {r: {kind: k, name: abc, body: {}}}\n"}


FRONT = "format: 1\nid: XX-001\ntitle: t\narea: net\nseverity: error\ncertainty: likely\ncause: c\nfix: f\n"
SECTIONS = "".join("## %s\ntext\n" % s for s in ("Symptom", "Cause", "Fix", "Prevent", "Evidence"))


def runbook(front, body=SECTIONS):
    return {"c/runbooks/XX-001-x.md": "---\n%s---\n%s" % (front, body)}


def state(change):
    """A state file in which `change` was made."""
    good = {"format_version": 1, "lineage": "l", "salt": "00", "serial": 1, "owner": {}, "entries": {}, "intents": {}}
    good.update(change)
    return json.dumps({k: v for k, v in good.items() if v is not None})


def bad(text, **more):
    """A stack file with a fault."""
    return {"s.yaml": text, **more}


V, C = "validate s.yaml", "validate s.yaml --catalog c"
R = "explain XX-001 --catalog c"
RESOURCE = "main: r\nresources: {r: {kind: managed_identity, name: abc, body: {}%s}}\n"


TWO_SECRETS = ("inputs: {p: {type: string, secret: true, required: true}, q: {type: string, secret: true, required: true}}\n"
               'environment: {a: {A: {value: "${input.p}", reason: r}}, b: {A: {value: "${input.q}", reason: r}}}\n')
WITH_SECRETS = 'services: {x: {use: x, with: {p: "${secret.P}", q: "${secret.Q}"}}}\n'


def many_names(of, count):
    return 'rules: [{assert: "true", for: {%s}, text: t}]\n' % ", ".join('%s: "%s"' % (name, of) for name in "abcdefghi"[:count])


def with_service(text, line="services: {x: {use: x}}\n"):
    return {"s.yaml": HEAD + line, "c/services/x/service.yaml": "format: 1\nservice: x\n" + ("" if text in ("", "a: b\n") else "title: x\n") + text}


# (area, [(command, files)])
SCENES = [
    ("usage", [(c, {}) for c in (
        "", "aply x", "nonsense", "apply", "apply a b", "apply --nonsense x", "apply s.yaml --timeout", "apply s.yaml --timeout soon",
        "apply s.yaml -o yaml", "apply s.yaml --target moon", "apply none.yaml", "plan none.yaml", "validate none.yaml",
        "validate s.yaml --log-level loud", "validate s.yaml --log-format xml", "verify", "verify --env-file none.env", "probe", "probe host",
        "probe foo://host", "probe tcp://host", "probe tcp://", "probe tcp://host:70000", "diff", "diff --type X --desired none --actual none", "explain",
        "explain ZZ-999", "runbooks", "runbooks x", "runbooks show", "runbooks show ZZ-999", "runbooks test NET-001 none.json",
        "state", "state xx", "state list", "state list s.yaml", "sandbox", "sandbox x", "sandbox status --dir none", "sandbox stop --dir none",
        "env", "env --check none.env", "env --check .env --service none", "env --check .env --service redis", "force-unlock", "import", "destroy",
        "outputs", "status", "config", "init a b", "bootstrap", "probe https://host --tls x", "probe redis://host --client-mode x",
        "probe https://host --address-map 10.0.0.0=1", "probe https://host --address-map 10.0.0.0/8=127.0.0.0/16",
        "probe https://host --address-map :x=:y", "completion", "bootstrap s.yaml --branch main", "bootstrap s.yaml --azure-pipelines a/b/c", "state push",
        "state mv s.yaml", "probe http://a,b/", "probe https://host --address-map :1=2", "probe https://host --timeout x", "verify s.yaml --env-file .env",
        "probe https://host --address-map 10.0.0.0/8", "probe https://host --address-map :1", "probe https://host --resolver x:y", "probe postgres://a,b/",
        "probe postgres:///d")]),
    ("options on a stack", [(c, {"s.yaml": STACK, ".env": ""}) for c in (
        "validate s.yaml -e prod", "validate s.yaml --var A", "validate s.yaml --var A=1", "validate s.yaml --fail-on all", "validate s.yaml --catalog none",
        "apply s.yaml --state foo://x", "apply s.yaml --state azblob://x", "state show s.yaml x", "state push s.yaml none.json", "state mv s.yaml a b",
        "plan s.yaml --plan none", "apply s.yaml --images maybe", "apply s.yaml --lock-timeout soon", "force-unlock s.yaml", "apply s.yaml --auth magic")]),
    ("stack file", [(V, bad(t)) for t in (
        "", "azure: {}\n", "- a\n", "a: [\n", "deployer: x\n", "deployer: 9\n", HEAD, STACK + "colour: red\n", STACK.replace("location", "lokation"),
        STACK.replace("rg-s", "{}"),
        STACK.replace("stack: s", "stack: S!"), STACK.replace("japaneast", "[a]"), STACK.replace("{network: {use: network}}", "{x: {use: redys}}"),
        STACK.replace("{network: {use: network}}", "{x: {with: {}}}"), STACK.replace("use: network", "use: network, with: {adress_space: 1}"),
        STACK.replace("{network: {use: network}}", "{r: {use: redis, with: {clustering: none}}}"),
        STACK.replace("{network: {use: network}}", "{r: {use: redis, with: {zones: 3}}}"),
        STACK.replace("{network: {use: network}}", "{r: {use: redis, needs: {network: other}}}"),
        STACK.replace("{network: {use: network}}", "{l: {use: langfuse}}"),
        STACK.replace("{network: {use: network}}", "{a: {use: redis, with: {name: x}}, b: {use: redis, with: {name: x}}}"),
        STACK.replace("{network: {use: network}}", "{g: {use: gateway, needs: {backend: r}}, r: {use: redis}}"),
        STACK.replace("rg-s", '"${env.GROUP}"'), STACK.replace("rg-s", '"${var.group}"'), STACK.replace("rg-s", '"${group}"'), STACK.replace("rg-s", '"${"'),
        STACK + "environments: {prod: {services: {gateway: null}}}\n", STACK + "inputs: {a: {type: colour}}\n", STACK + "inputs: {a: {}}\n",
        STACK + "inputs: {a: {file: none.txt}}\n", STACK + "inputs: {a: {command: [none]}}\n", STACK + "inputs: {a: {terraform: none}}\n", STACK.replace("deployer: 1", "deployer: [1]"),
        STACK + "catalog: none\n", STACK + "ignore: [{id: RED-003}]\n", STACK + "ignore: [RED-003]\n", STACK + 'ignore: [{id: RED-003, because: ""}]\n',
        STACK + "state: moon://x\n", "deployer: 1\r\nstack: no\r\n", "\tdeployer: 1\n")]
     + [(V, bad(STACK + "inputs: {a: {terraform: t.json}}\n", **{"t.json": "{}"}))]),
    ("expressions", [(V, tagged(e)) for e in (
        "ratio(1, 0)", "ratio('a', 1)", "sum(['a'])", "sum(1)", "gibibytes('x')", "gibibytes([[]])", "split('a', '')", "cidrsubnet(1, 2, 3)", "cidrsubnet('10.0.0.0', 2, 3)",
        "cidrsubnet('10.0.0.0/8', 'a', 3)", "url_host('x')", "url_host('x:')", "pluck(1, 'a')", "pluck([], 1)", "where([], 1, 2)", "matches('a', 1)", "base64decode('a')", "base64decode('===')",
        "base64decode('a b c')", "concat()", "upper([])", "first([])", "one([1, 2])", "int('9x')", "secret.A.b", "map(secret.A, 1)", "environment('x')", "image(1)",
        "'a' + 1", "1 <", "a.b.c", "env", "stack.colour", "azure.colour", "services.none.a", "var.none", "'\\\\q'", "'a", "(1", "[1", "{a: 1", "1 ? 2", "!'a'", "1 && true", "[1][3]",
        "{a: 1}.b", "url_password('x')", "range(1)", "${1}", "'\\\\u12'", "'a\\\\ud800'", "(" * 80 + "1" + ")" * 80, "rewrite('a', 1, 'b')", "rewrite('a', '(', 'b')",
        "url_password(1)", "url_host('http:///x')", "base64decode('AAAA')")]
     + [(V, tagged(e, **{".env": "A=abcdefgh\n"})) for e in ("secret.A.x", "{a: 1}[secret.A]")]),
    (".env", [("env --check .env", {".env": t}) for t in ("A\n", "A-B=1\n", "=1\n", "A='x\n", "A='x'y\n", "SALT=${X}\n", "REDIS_TLS=true\n")]),
    ("services", [(C, with_service(t)) for t in (
        "", "a: b\n", "format: 2\n", "inputs: {a: {type: colour}}\n", "inputs: {a: {type: string, patern: x}}\n", 'inputs: {a: {type: string, pattern: "("}}\n',
        "inputs: {a: {type: integer, default: x}}\n", "inputs: {a: {type: string, required: true}}\n", "resources: {r: {name: n, body: {}}}\n",
        "resources: {r: {kind: managed_idntity, name: n, body: {}}}\n", RESOURCE % ', when: "${input.a}"', RESOURCE % ', when: "${1}"',
        RESOURCE % ', each: "${3}"', RESOURCE % ', depends_on: [s]', RESOURCE % ", bodi: {}", RESOURCE.replace("name: abc", 'name: "${resource.r.name}"') % "",
        RESOURCE.replace("name: abc", 'name: "a b"') % "", RESOURCE.replace("body: {}", 'body: {tags: "${nothing(1)}"}') % "",
        RESOURCE.replace("body: {}", 'body: {tags: "${upper()}"}') % "", RESOURCE.replace("body: {}", 'body: {tags: "${upper(1, 2)}"}') % "",
        RESOURCE.replace("body: {}", 'body: {tags: "${int(\'x\')}"}') % "", RESOURCE.replace("body: {}", 'body: {tags: "${1 +}"}') % "",
        RESOURCE.replace("body: {}", 'body: {tags: "${need.x.y}"}') % "", RESOURCE.replace("body: {}", "body: {tags: \"${file('none')}\"}") % "",
        "needs: {y: {service: none}}\n", "needs: {y: {service: redis}}\n", "checks: {c: {probe: telepathy, target: {}}}\n",
        'rules: [{assert: "${false}", text: it can not be}]\n', 'locals: {a: "${local.b}", b: "${local.a}"}\n' + RESOURCE.replace("name: abc", 'name: "${local.a}"') % "",
        "contract: none.yaml\n", "environment: {c: {A: {reason: r}}}\n", RESOURCE.replace("name: abc", "name: abc, existing: 5") % "",
        RESOURCE.replace("body: {}", 'body: {tags: "${each.x}"}') % ", each: [a]", RESOURCE.replace("body: {}", 'body: {tags: "${file(1)}"}') % "",
        RESOURCE.replace("body: {}", 'body: {tags: "${resource.r.action}"}') % "")]
     + [(C, {**with_service(RESOURCE.replace("body: {}", "body: {tags: \"${file('bin')}\"}") % ""), "c/services/x/bin": "\0"})]
     + [(C, with_service("resources: {a: {kind: managed_identity, name: abc, body: {}}, b: {kind: managed_identity, name: abd, body: {}}}\n",
                         "services: {x: {use: x, existing: /subscriptions/a}}\n"))]
     + [(C, {**with_service(TWO_SECRETS + RESOURCE.replace("body: {}", "body: {tags: \"${environment_secrets('a', 'b')}\"}") % "", WITH_SECRETS),
             ".env": "P=abcdefgh\nQ=ijklmnop\n"})]
     + [(C, {**with_service("contract: c.yaml\n" + RESOURCE % ""), "c/services/x/c.yaml": t}) for t in (
         "- a\n", "variables: {A: {type: colour}}\n", "variables: {A: {type: string}}\nrules: [{text: t}]\n")]),
    ("kinds", [(C, kind(t)) for t in ("colour: red\n", "properties: {a: {type: colour}}\n", 'properties: {a: {type: string, pattern: "\\\\d"}}\n',
                                      'rules: [{assert: "nonsense(", text: t}]\n', 'rules: [{assert: "true"}]\n',
                                      "rules: [{changes: {colour: 1}, text: t}]\n", "rules: [{changes: {path: a}, text: t}]\n",
                                      "rules: [{changes: {path: a, only: sideways}, text: t}]\n", "rules: [a]\n", "rules: [{colour: red, text: t}]\n",
                                      "rules: [{text: t}]\n", 'rules: [{assert: "true", for: {a: 5}, text: t}]\n', many_names("[]", 9), many_names("[1, 2, 3, 4, 5, 6, 7, 8]", 6),
                                      "ready: %s{post: z}%s\n" % ("[{list: x, do: " * 4 + "[", "]" + "}]" * 4), "before: [{check: a, if: 5}]\n",
                                      'before: [{check: a, if: "("}]\n', "properties: {p: {type: array, resend: {action: listAll, list: value}}}\n")]
     + [(C, kind("", "format: 1\nkind: k\n")), (C, kind("", "format: 9\nkind: k\n")), (C, kind("", "- a\n"))]),
    ("runbooks", [(R, runbook(f)) for f in (
        "", "format: 1\n", FRONT.replace("XX-001", "YY-002"), FRONT.replace("error", "loud"), FRONT.replace("net", "moon"), FRONT + 'texts: ["("]\n',
        FRONT + "when: [{fact: a}]\n", FRONT + "when: [{fact: a, is: 1, not: 2}]\n", FRONT + "when: [{fact: a, in: 1}]\n", FRONT + 'when: [{fact: a, matches: "("}]\n',
        FRONT + "when: [{}]\n", FRONT + "colour: red\n", FRONT + "explains: 1\n", FRONT + "when: [{fact: a, matches: 5}]\n",
        FRONT + "when: %s{fact: a, is: 1}%s\n" % ("[{any: " * 9 + "[", "]" + "}]" * 9))]
     + [(C, {**with_service(RESOURCE % ""), **runbook(FRONT + "lint: [{colour: red, text: t}]\n")})]
     + [(R, runbook(FRONT, "## Symptom\n")), (R, runbook(FRONT, SECTIONS.replace("## Fix\ntext\n", "## Fix\n"))), (R, {"c/runbooks/XX-001-x.md": "text\n"})]),
    ("state", [("status s.yaml --state state.json", {"s.yaml": STACK, "state.json": t}) for t in (
        "", "{", "[]", "{}", state({"format_version": 9}), state({"checksum": "0" * 64}), state({"lineage": None}))]),
]
# What differs from run to run.
HIDDEN = [(r"(process|pid) \d+", r"\1 N"), (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"), (r"(127\.0\.0\.1|localhost):\d+", r"\1:PORT"),
          (r"\b(\d+ min )?\d+(\.\d)? m?s\b", "N ms"), (r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"), (r"/tmp/sandbox-test-\w+", "SANDBOX"),
          (r"\d+ milliseconds", "N milliseconds"), (r"\bkv-purge-\w+", "kv-purge-SUFFIX")]
LOGIN = {"s.yaml": STACK}
PEM = {"bad.pem": "x"}
LOGINS = [  # no network in any of them
    ("plan s.yaml --state state.json", {"AZURE_CLIENT_ID": "a", "AZURE_TENANT_ID": "b", "AZURE_CLIENT_CERTIFICATE_PATH": "none.pem"}),
    ("plan s.yaml --state state.json", {"AZURE_CLIENT_ID": "a", "AZURE_TENANT_ID": "b", "AZURE_CLIENT_CERTIFICATE_PATH": "bad.pem"}),
    ("plan s.yaml --state state.json --auth client-secret", {}),
    ("plan s.yaml --state state.json --auth client-certificate", {}),
    ("plan s.yaml --state state.json --auth magic", {}),
    ("plan s.yaml --state state.json", {"AZURE_CLIENT_ID": "a", "AZURE_TENANT_ID": "b", "AZURE_FEDERATED_TOKEN_FILE": "none.jwt"}),
    ("plan s.yaml --target sandbox --sandbox-dir none --state state.json", {}),
    ("plan s.yaml", {"CI": "true"}),
]


def hidden(text):
    for pattern, word in HIDDEN:
        text = re.sub(pattern, word, text)
    return text


def clean_env(folder, env=None):
    clean = {"PATH": os.environ["PATH"], "HOME": folder, **(env or {})}
    clean.update({k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS")})
    return clean


def run(command, folder, env=None, more=(), program=DEPLOYER):
    return subprocess.run([program, *command.split(), *more], cwd=folder, env=clean_env(folder, env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


def fill(folder, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", newline="") as f:
            f.write(text)


class Messages(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.told, cls.json = [], []
        for area, scenes in SCENES:
            cls.told.append("## %s\n" % area)
            for command, files in scenes:
                cls.scene(command, files)
        cls.told.append("## login\n")
        for command, env in LOGINS:
            cls.scene(command, {**LOGIN, **PEM} if "CERTIFICATE" in str(env) else LOGIN, env)
        cls.told.append("## what is deployed (on the sandbox)\n")
        with Sandbox() as sandbox:
            cls.deployed(sandbox)

    @classmethod
    def record(cls, command, folder, env=None, options=(), change=""):
        done = run(command, folder, env, options)
        text = hidden(done.stderr.replace(folder, "DIR"))
        words = "".join(" %s=%s" % pair for pair in sorted((env or {}).items()))
        cls.told.append("%s$%s deployer %s\n%sexit %d\n" % (change, words, command, text or hidden(done.stdout.replace(folder, "DIR")), done.returncode))
        if command and "--log-format" not in command and not command.endswith("--timeout"):
            cls.json.append((command, done, run(command, folder, env, [*options, "--log-format", "json"])))

    @classmethod
    def scene(cls, command, files, env=None):
        with tempfile.TemporaryDirectory() as folder:
            fill(folder, files)
            shown = "".join("%s: %s\n" % (n, json.dumps(t[len(HEAD):] if t.startswith(HEAD) else t)) for n, t in sorted(files.items()) if t)
            cls.record(command, folder, env, change=shown)

    @classmethod
    def deployed(cls, sandbox):
        options = ["--target", "sandbox", "--sandbox-dir", sandbox.dir]
        head = HEAD.replace(SUBSCRIPTION, sandbox.info["subscription"])
        base = head + "services: {network: {use: network}, db: {use: postgres, with: {password: \"${secret.P}\"%s}}}\n"
        env = {"P": "pgExamplePw1"}
        with tempfile.TemporaryDirectory() as folder:
            fill(folder, {"s.yaml": base % "", "other.yaml": (base % "").replace("stack: s", "stack: other")})
            done = run("apply s.yaml --yes --state state.json", folder, env, options)
            assert done.returncode == 0, done.stderr
            state = os.path.join(folder, "state.json")

            def change(words, command, text=None):
                if text is not None:
                    fill(folder, {"s.yaml": text})
                cls.record(command, folder, env, options, "(%s)\n" % words)
            for command in ("verify s.yaml --only none --state state.json", "env s.yaml none --state state.json", "env s.yaml network --state state.json",
                            "import s.yaml x --state state.json", "import s.yaml db.server=/x --state state.json", "import s.yaml db.none=/x --state state.json",
                            "import s.yaml --state state.json", "import s.yaml nothing --state state.json", "apply s.yaml --plan none.plan --state state.json",
                            "state push s.yaml none.json --state state.json", "apply s.yaml --recover none --yes --state state.json"):
                cls.record(command, folder, env, options)
            fill(folder, {"p": "{}", "q": '{"format_version": 99, "kind": "plan"}', "r": "{"})
            for name in "pqr":
                cls.record("apply s.yaml --plan %s --state state.json" % name, folder, env, options)
            with open(state) as f:
                text = f.read()
            whole = json.loads(text)
            for words, more in (("an older one", {"serial": 0}), ("another lineage", {"lineage": "00000000-0000-4000-8000-000000000000"}), ("no state", {"salt": None})):
                fill(folder, {"push.json": json.dumps({**whole, **more})})
                change(words + " is pushed", "state push s.yaml push.json --state state.json")
                change(words + " is pushed, whatever its checksum", "state push s.yaml push.json --repair --yes --state state.json")
                change("and then a plan", "plan s.yaml --state state.json")
                fill(folder, {"state.json": text})
            change("not confirmed by anybody", "state rm s.yaml db.server --state state.json")
            done = run("plan s.yaml --save old.plan --state state.json", folder, env, options)
            assert done.returncode == 0, done.stderr
            change("an old plan", "apply s.yaml --plan old.plan --yes --state state.json", (base % "").replace("{use: network}", "{use: network, with: {nat_gateway: true}}"))
            fill(folder, {"s.yaml": base % ""})
            change("nobody to ask", "apply s.yaml --state state.json", (base % "").replace("network: {use: network}", "network: {use: network}, o: {use: observability}"))
            change("another stack's state", "plan other.yaml --state state.json")
            change("a server with data would be made anew", "apply s.yaml --yes --state state.json", base % ", user: other")
            change("a service taken out of the file", "apply s.yaml --yes --state state.json", head + "services: {network: {use: network}}\n")
            run("apply s.yaml --yes --state state.json --allow-data-loss db.server", folder, env, options)
            change("nobody to ask before a destroy", "destroy s.yaml --state state.json", base % "")
            change("no such thing in the state", "state show s.yaml db.none --state state.json")
            change("no such thing to take out", "state rm s.yaml db.none --yes --state state.json")
            change("something is there already", "state mv s.yaml db.server db.endpoint --state state.json")
            with open(state) as f:
                whole = f.read()
            fill(folder, {"state.json": re.sub(r'"location": "[a-z]+"', '"location": "moon"', whole)})
            change("edited by hand", "status s.yaml --state state.json")
            fill(folder, {"state.json": whole})
            with open(sandbox.info["client_secret"]) as f:
                secret = f.read()
            with open(sandbox.info["client_secret"], "w") as f:
                f.write("wrong")
            change("the wrong client secret", "plan s.yaml --state state.json")
            with open(sandbox.info["client_secret"], "w") as f:
                f.write(secret)
        sandbox.stop()
        with tempfile.TemporaryDirectory() as folder:
            fill(folder, {"s.yaml": base % ""})
            cls.record("plan s.yaml --state state.json", folder, env, options, "(the sandbox was stopped)\n")

    def test_as_people_read_it(self):
        text = "\n".join(self.told)
        if os.environ.get("UPDATE"):
            with open(GOLDEN, "w") as f:
                f.write(text)
        with open(GOLDEN) as f:
            self.assertEqual(text, f.read(), "UPDATE=1 tests/integration/run.py messages renews tests/data/messages.txt: read what changed")

    def test_as_programs_read_it(self):
        """--log-format json says the same: one object a line, with a code."""
        for command, plain, as_json in self.json:
            with self.subTest(command):
                self.assertEqual(plain.returncode, as_json.returncode)
                said = []
                for line in as_json.stderr.splitlines():
                    o = json.loads(line)  # never a word that is no JSON
                    if o["event"] in ("diagnostic", "failed"):
                        self.assertTrue(o["code"], line)
                        said.append(o["message"])
                for text in said:
                    self.assertIn(hidden(text.splitlines()[0]), hidden(plain.stderr))
                self.assertTrue(said or plain.returncode in (0, 1) or not command, as_json.stderr)


class Sources(unittest.TestCase):
    def test_no_two_causes_share_a_message(self):
        seen = {}
        for m in messages.collect():
            if m.call != "diag_add" and m.text not in SAME:
                self.assertNotIn(m.text, seen, m.place)
                seen[m.text] = m.place

    @staticmethod
    def unshown():
        """What the source can say and no test holds: neither the files of shown messages nor a test's own text."""
        lines = []
        for path in (GOLDEN, RUN_GOLDEN, *UNIT_GOLDENS):
            with open(path) as f:
                lines += f.read().splitlines()
        shown, tests = "\n".join(lines), ""
        for folder, _, names in os.walk(os.path.join(ROOT, "tests")):
            for name in names:
                if name.endswith((".c", ".py")) and name != "messages.py":
                    with open(os.path.join(folder, name)) as f:
                        tests += f.read()
        tests = re.sub(r'"\s*\n\s*"', "", tests).replace('\\"', '"')
        return {m.text.replace("\n", "\\n") for m in messages.collect()
                if len(m.words) > 3 and m.words not in tests and not (m.words in shown and any(m.is_in(line) for line in lines))}

    def test_what_is_not_shown_is_known(self):
        unshown = self.unshown()
        _, reasons = read_unshown()
        if os.environ.get("UPDATE"):
            write_unshown({t for t in unshown if not reasons.get(t)}, {t: w for t, w in reasons.items() if t in unshown})
        pending, reasons = read_unshown()
        self.assertEqual(unshown - pending - set(reasons), set(), "show it by a scene of test_messages.py or a call of tests/unit/test_messages*.c")
        for text, why in reasons.items():
            self.assertTrue(why, text)


def read_unshown():
    """(messages not shown yet, {message that can't be provoked: why})"""
    pending, reasons, last = set(), None, None
    with open(UNSHOWN) as f:
        for line in f.read().splitlines():
            if line == NEVER:
                reasons = {}
            elif line.startswith(BECAUSE):
                reasons[last] = line[len(BECAUSE):]
            elif line and not line.startswith("#"):
                last = line
                if reasons is None:
                    pending.add(line)
                else:
                    reasons[line] = ""
    return pending, reasons or {}


def write_unshown(pending, reasons):
    with open(UNSHOWN, "w") as f:
        f.write("# Messages that no test shows. UPDATE=1 tests/integration/run.py messages takes out what is shown by now.\n"
                "# Not yet: show each by a scene of tests/integration/test_messages.py or a call of tests/unit/test_messages*.c.\n"
                + "".join(t + "\n" for t in sorted(pending)) + "\n" + NEVER + "\n"
                + "".join("%s\n%s%s\n" % (t, BECAUSE, why) for t, why in sorted(reasons.items())))


if __name__ == "__main__":
    unittest.main()
