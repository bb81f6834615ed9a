"""init, validate and config as a user meets them; and that no file makes them crash, hang or keep silent."""
import concurrent.futures
import glob
import json
import os
import random
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOYER = os.environ.get("DEPLOYER", os.path.join(TOP, "build", "release", "deployer"))
SEED = 20260101
MUTATIONS = 1000
PLACE = re.compile(r"^[^\n:]+:[0-9]+:[0-9]+: ", re.M)


def run(*args, cwd=None, env=None, seconds=20):
    """Exit status, standard output, standard error; without the variables of whoever runs the tests."""
    clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
    clean.update(env or {})
    done = subprocess.run([DEPLOYER, *args], cwd=cwd, env=clean, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


class Folder(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="deployer-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())


class Init(Folder):
    def test_what_it_writes_is_valid(self):
        status, out, err = run("init", "new", cwd=self.dir)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("deployer validate new/stack.yaml", out)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new/.env")).st_mode), 0o600)
        for options in ([], ["-e", "prod"]):
            status, out, err = run("validate", "new", *options, cwd=self.dir)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("new/stack.yaml is valid: langfuse", out)

    def test_secrets_differ_and_are_not_shown(self):
        values = []
        for name in ("a", "b"):
            _, out, _ = run("init", name, cwd=self.dir)
            with open(self.path(name + "/.env")) as f:
                found = re.findall(r"^(\w+)=(\S{20,})$", f.read(), re.M)
            secrets = [v for k, v in found if k != "AZURE_SUBSCRIPTION_ID"]
            self.assertGreaterEqual(len(secrets), 5)
            for value in secrets:
                self.assertNotIn(value, out)
                shown = run("config", name, cwd=self.dir)[1] + run("config", name, "-o", "json", cwd=self.dir)[1]
                self.assertNotIn(value, shown)
            values += secrets
        self.assertEqual(len(values), len(set(values)))

    def test_nothing_is_overwritten(self):
        self.write("stack.yaml", "deployer: 1\nstack: mine\nlocation: \"${env.PLACE}\"\nservices: {}\n")
        status, out, _ = run("init", cwd=self.dir)
        self.assertEqual(status, 0)
        self.assertNotIn("stack.yaml: what runs", out)
        with open(self.path("stack.yaml")) as f:
            self.assertIn("stack: mine", f.read())
        with open(self.path(".env")) as f:
            env = f.read()
        self.assertIn("\nPLACE=\n", env)
        status, _, err = run("init", cwd=self.dir)
        self.assertEqual(status, 73)
        self.assertIn("left as they are", err)
        with open(self.path(".env")) as f:
            self.assertEqual(f.read(), env)


class Config(Folder):
    def test_every_value_has_its_origin(self):
        self.write("stack.yaml", """\
deployer: 1
stack: s
location: westeurope
azure: {subscription: "${env.SUB}", resource_group: "rg-${var.stage}"}
inputs: {stage: dev, size: 1}
services:
  redis: {use: redis, with: {clustering: NoCluster}}
  postgres: {use: postgres, with: {password: hunter2hunter2}}
environments:
  prod: {inputs: {stage: prod}, services: {redis: {with: {clustering: OSSCluster}}}}
""")
        self.write(".env", "SUB=from-file\n")
        status, out, err = run("config", "stack.yaml", "-e", "prod", "--var", "size=3", "-o", "json", cwd=self.dir)
        self.assertEqual((status, err), (0, ""))
        document = json.loads(out)
        self.assertEqual(document["format_version"], 1)
        rows = {r["path"]: r for r in document["values"]}
        self.assertEqual(rows["location"]["origin"], "stack file")
        self.assertEqual((rows["location"]["line"], rows["location"]["column"]), (3, 11))
        self.assertEqual(rows["inputs.stage"]["value"], "prod")
        self.assertEqual(rows["inputs.stage"]["origin"], "environment prod")
        self.assertEqual((rows["inputs.size"]["value"], rows["inputs.size"]["origin"]), (3, "--var"))
        self.assertEqual(rows["services.redis.with.clustering"]["value"], "OSSCluster")
        self.assertEqual(rows["services.redis.with.clustering"]["line"], 10)
        self.assertEqual(rows["services.postgres.with.password"]["value"], "(secret)")
        self.assertEqual((rows["env.SUB"]["value"], rows["env.SUB"]["origin"]), ("from-file", ".env"))
        self.assertEqual(rows["services.postgres.with.version"]["origin"], "default of postgres")
        _, out, _ = run("config", "stack.yaml", "-o", "json", cwd=self.dir, env={"SUB": "from-process"})
        rows = {r["path"]: r for r in json.loads(out)["values"]}
        self.assertEqual((rows["env.SUB"]["value"], rows["env.SUB"]["origin"]), ("from-process", "process environment"))
        self.assertEqual(rows["inputs.stage"]["origin"], "default")

    def test_each_sort_of_origin(self):
        """Every one that docs/stack.md names: value, origin and place, in both formats."""
        self.write("stack.yaml", """\
deployer: 1
stack: s
location: westeurope
azure: {subscription: "${env.SUB}", resource_group: "rg-${var.stage}", tags: {a: "${env.FROM_PROCESS}", b: "${env.NOWHERE}"}}
vault: kv-origin
inputs:
  stage: dev
  size: 1
  given: 2
  tf: {terraform: terraform.tfstate}
  text: {file: note.txt}
  made: {command: [printf, "%s", done]}
services:
  redis: {use: redis, with: {clustering: NoCluster}}
  postgres: {use: postgres, with: {password: "${secret.FROM_VAULT}"}}
  langfuse: {use: langfuse, with: {hostname: h.example.com, salt: "${secret.FROM_ENV_FILE}"}}
environments:
  prod:
    inputs: {stage: prod}
    services: {redis: {with: {clustering: OSSCluster}}}
""")
        self.write(".env", "# first line\nSUB=from-file\nFROM_ENV_FILE=a-secret-of-the-file\n")
        self.write("note.txt", "what the file says\n")
        self.write("terraform.tfstate", json.dumps({"outputs": {"id": {"value": "tf-id"}, "pw": {"value": "tf-secret", "sensitive": True}}}))
        args = ["config", "stack.yaml", "-e", "prod", "--var", "given=3"]
        env = {"FROM_PROCESS": "from-process", "ENCRYPTION_KEY": "0f" * 32}
        status, out, err = run(*args, "-o", "json", cwd=self.dir, env=env)
        self.assertEqual((status, err), (0, ""))
        rows = {r["path"]: r for r in json.loads(out)["values"]}
        built_in = "services/redis/service.yaml"
        want = {
            "location": ("westeurope", "stack file", "stack.yaml", 3),
            "inputs.stage": ("prod", "environment prod", "stack.yaml", 19),
            "services.redis.with.clustering": ("OSSCluster", "environment prod", "stack.yaml", 20),
            "inputs.given": (3, "--var", None, None),
            "inputs.size": (1, "default", "stack.yaml", 8),
            "inputs.tf": ({"id": "tf-id"}, "terraform", "stack.yaml", 10),
            "inputs.text": ("what the file says", "file", "stack.yaml", 11),
            "inputs.made": ("done", "command", "stack.yaml", 12),
            "services.redis.with.eviction": ("NoEviction", "default of redis", built_in, rows["services.redis.with.eviction"]["line"]),
            "env.FROM_PROCESS": ("from-process", "process environment", None, None),
            "services.langfuse.with.encryption_key": ("(secret)", "process environment", None, None),
            "env.SUB": ("from-file", ".env", ".env", 2),
            "secret.FROM_ENV_FILE": ("(secret)", ".env", ".env", 3),
            "secret.FROM_VAULT": ("(secret)", "key vault kv-origin", "stack.yaml", 5),
            "services.langfuse.with.nextauth_secret": ("(secret)", "key vault kv-origin", "stack.yaml", 5),
            "services.langfuse.with.init_user_password": ("(secret)", "key vault kv-origin, if it has one", "stack.yaml", 5),
            "env.NOWHERE": (None, "missing", None, None),
        }
        self.assertEqual({p: tuple(rows[p].get(k) for k in ("value", "origin", "file", "line")) for p in want}, want)
        with open(os.path.join(TOP, "docs", "stack.md")) as f:
            told = f.read().split("`origin` is")[1].split("`missing`")[0]
        for _, origin, _, _ in want.values():
            name = re.sub(r" (prod|redis|kv-origin)\b", lambda m: {"prod": " NAME", "redis": " SERVICE", "kv-origin": " NAME"}[m[1]], origin)
            self.assertTrue(origin == "missing" or all("`%s" % part in " ".join(told.split()) for part in name.split(", ")[:1]), origin)

        _, text, _ = run(*args, cwd=self.dir, env=env)
        for path, (_, origin, file, line) in want.items():
            place = "" if file is None else ", %s:%d" % (file, line)
            self.assertRegex(text, r"(?m)^%s = .*  # %s%s$" % (re.escape(path), re.escape(origin), re.escape(place)))
        for shown in (out, text):
            for secret in ("a-secret-of-the-file", "0f0f", "tf-secret"):
                self.assertNotIn(secret, shown)


class Validate(Folder):
    def test_what_is_open_is_left_to_the_kind(self):
        """What Azure adds to is no error while it is merely unknown here; another case of a known word is one."""
        start = ("deployer: 1\nstack: s\nlocation: japaneast\nazure: {subscription: 11111111-1111-1111-1111-111111111111, resource_group: rg}\n"
                 "services:\n")
        for value, status, told in (("18", 0, None),
                                    ("21", 0, "p.server: properties.version is \"21\", which is none of the values known here")):
            self.write("stack.yaml", start + "  p: {use: postgres, with: {version: %s}}\n" % value)
            done, out, err = run("validate", "stack.yaml", cwd=self.dir, env={"POSTGRES_PASSWORD": "pgExamplePw1"})
            self.assertEqual(done, status, err)
            self.assertEqual("properties.version" in out, told is not None, out)
            self.assertIn(told or "", out)
        self.write("stack.yaml", start + "  p: {use: postgres, with: {tier: burstable}}\n")
        done, _, err = run("validate", "stack.yaml", cwd=self.dir, env={"POSTGRES_PASSWORD": "pgExamplePw1"})
        self.assertEqual(done, 65)
        self.assertIn("services.p.with.tier: 'burstable' is not one of Burstable, GeneralPurpose, MemoryOptimized (did you mean Burstable?)", err)

    def test_all_errors_at_once_in_every_form(self):
        self.write("stack.yaml", "deployer: 1\nstack: s\nlocation: no\nservices:\n"
                                 "  redis: {use: redis, with: {clustering: OssCluster}}\n"
                                 "  x: {use: redsi, neds: {}}\n")
        status, out, err = run("validate", "stack.yaml", cwd=self.dir)
        self.assertEqual((status, out), (65, ""))
        self.assertIn("stack.yaml:3:11: location: 'no' is true or false in YAML 1.1", err)
        self.assertIn("stack.yaml:5:42: services.redis.with.clustering: 'OssCluster' is not one of NoCluster, "
                      "EnterpriseCluster, OSSCluster (did you mean OSSCluster?)", err)
        self.assertIn("stack.yaml:6:19: services.x.neds: is not known here (did you mean needs?)", err)
        self.assertIn("(did you mean redis?)", err)
        self.assertRegex(err, r"deployer: [0-9]+ errors in stack.yaml\n$")
        status, out, _ = run("validate", "stack.yaml", "-o", "json", cwd=self.dir)
        document = json.loads(out)
        self.assertEqual((status, document["valid"]), (65, False))
        self.assertIn("stack.unknown-key", [f["code"] for f in document["findings"]])
        status, _, err = run("validate", "stack.yaml", "--log-format", "json", cwd=self.dir)
        lines = [json.loads(line) for line in err.splitlines()]
        self.assertEqual(len(lines), len(document["findings"]) + 1)
        self.assertTrue(all({"level", "event", "code", "message", "time"} <= set(line) for line in lines))

    def test_exit_statuses(self):
        self.assertEqual(run("validate", cwd=self.dir)[0], 64)
        self.assertEqual(run("validate", "a", "b", cwd=self.dir)[0], 64)
        self.assertEqual(run("validate", "--nonsense", "a", cwd=self.dir)[0], 64)
        self.assertEqual(run("validate", "absent.yaml", cwd=self.dir)[0], 66)
        self.assertEqual(run("validate", ".", cwd=self.dir)[0], 66)
        self.assertEqual(run("validate", "--help", cwd=self.dir)[0], 0)
        self.write("stack.yaml", "x" * ((1 << 20) + 1))
        self.assertEqual(run("validate", ".", cwd=self.dir)[0], 65)


class Messages(unittest.TestCase):
    def test_every_code_is_in_the_catalogue(self):
        codes = set()
        for name in glob.glob(os.path.join(TOP, "deployer", "stack", "*.c")) + \
                glob.glob(os.path.join(TOP, "deployer", "catalog", "*.c")) + glob.glob(os.path.join(TOP, "deployer", "commands", "*.c")) + \
                glob.glob(os.path.join(TOP, "deployer", "base", "doc*.c")):
            with open(name) as f:
                codes |= set(re.findall(r'"((?:stack|yaml|dotenv)\.[a-z0-9-]+)"', f.read()))
        codes.discard("stack.yaml")
        with open(os.path.join(TOP, "docs", "stack.md")) as f:
            table = f.read().split("## Messages")[1]
        described = set(re.findall(r"`((?:stack|yaml|dotenv)\.[a-z0-9-]+)`", table))
        self.assertEqual(codes, described)


def mutate(rng, data):
    """One random change that editors, merges and people make, or that nobody makes."""
    lines = data.split(b"\n")
    kind = rng.randrange(9)
    at = rng.randrange(len(data))
    if kind == 0:  # a byte
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
    if kind == 1:  # a cut
        return data[:at] + data[at + rng.randrange(1, 12):]
    if kind == 2:  # something of YAML's in the middle
        bit = rng.choice([b"\t", b": ", b"- ", b"{", b"}", b"[", b"]", b"'", b'"', b"&a ", b"*a", b"!!x ", b"#",
                          b"\r\n", b"\xef\xbb\xbf", b"\x00", b"${", b"}", b"|", b"---\n", b"no", b"null", b"~", b"? "])
        return data[:at] + bit + data[at:]
    i, k = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 3:
        del lines[i]
    elif kind == 4:
        lines.insert(i, lines[k])
    elif kind == 5:
        lines[i], lines[k] = lines[k], lines[i]
    elif kind == 6:
        lines[i] = b" " * rng.randrange(1, 5) + lines[i]
    elif kind == 7:
        lines[i] = lines[i].lstrip(b" ")
    else:  # a typing error in a word
        words = [m for m in re.finditer(rb"[A-Za-z_]{3,}", data)]
        word = rng.choice(words)
        text = bytearray(word.group())
        j = rng.randrange(len(text) - 1)
        text[j], text[j + 1] = text[j + 1], text[j]
        return data[:word.start()] + bytes(text) + data[word.end():]
    return b"\n".join(lines)


class AnyBytes(Folder):
    """A valid stack or an error with a place: never a crash, a hang, or a key that is dropped in silence."""

    ENV = {"AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "POSTGRES_PASSWORD": "p" * 32,
           "CLICKHOUSE_PASSWORD": "c" * 32, "NEXTAUTH_SECRET": "n" * 43, "SALT": "s" * 43, "ENCRYPTION_KEY": "0" * 64}

    def check(self, number, data):
        name = "%d.yaml" % number
        self.write(name, data)
        options = ["-e", "prod"] if number % 3 == 0 else []
        status, out, err = run("validate", name, *options, cwd=self.dir, env=self.ENV)
        os.unlink(self.path(name))
        if status == 0:
            return None if "is valid" in out else "exit 0 without a word"
        if status != 65:
            return "exit %d: %s" % (status, err[-500:])
        return None if PLACE.search(err) else "no place in %r" % err

    def check_all(self, inputs):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for (number, data), wrong in zip(inputs, pool.map(lambda i: self.check(*i), inputs)):
                if wrong:
                    self.fail("input %d: %s\n%r" % (number, wrong, data[:2000]))

    def test_mutated_examples(self):
        rng = random.Random(SEED)
        files = sorted(glob.glob(os.path.join(TOP, "examples", "*", "stack.yaml")))
        bases = []
        for name in files:
            with open(name, "rb") as f:
                bases.append(f.read())
        self.assertTrue(bases)
        inputs = []
        for number in range(MUTATIONS):
            data = bases[number % len(bases)]
            for _ in range(rng.randrange(1, 4)):
                data = mutate(rng, data) or b"\n"
            inputs.append((number, data))
        self.check_all(inputs)

    def test_arbitrary_bytes(self):
        rng = random.Random(SEED)
        inputs = []
        for number in range(100):
            size = rng.choice([0, 1, 7, 100, 5000])
            alphabet = range(256) if number % 2 else b" \n\t:-{}[]'\"#&*!|>%@`,?ab1"
            inputs.append((number, bytes(rng.choice(alphabet) for _ in range(size))))
        self.check_all(inputs)

    def test_no_key_is_dropped(self):
        """A key that nothing reads, put beside each key of the examples: an error that names it, or config shows it."""
        inputs = []
        for name in sorted(glob.glob(os.path.join(TOP, "examples", "*", "stack.yaml"))):
            with open(name) as f:
                lines = f.read().split("\n")
            for i, line in enumerate(lines):
                if re.match(r" *[A-Za-z_]+:", line):
                    inputs.append("\n".join([*lines[:i], re.match(" *", line)[0] + "zzqx: 1", *lines[i:]]))
                if not line.lstrip().startswith("#"):
                    inputs += ["\n".join([*lines[:i], line[:m.end()] + "zzqx: 1, " + line[m.end():], *lines[i + 1:]])
                               for m in re.finditer(r"(?<!\$)\{(?!\})", line)]
        self.assertGreater(len(inputs), 50)

        os.symlink(os.path.join(TOP, "examples", "custom-service", "catalog"), self.path("catalog"))

        def check(job):
            number, text = job
            name = "%d.yaml" % number
            self.write(name, text)
            overlay = ["-e", "prod"] if "\n  prod:" in text else []
            status, _, err = run("validate", name, *overlay, cwd=self.dir, env=self.ENV)
            if "zzqx" in err and status == 65:
                return None
            shown = run("config", name, *overlay, cwd=self.dir, env=self.ENV)[1]
            return None if "zzqx" in shown else "status %d, and nobody speaks of it: %s" % (status, err)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for text, wrong in zip(inputs, pool.map(check, enumerate(inputs))):
                self.assertIsNone(wrong, text)

    def test_large_input_ends_soon(self):
        head = b"deployer: 1\nstack: s\nservices:\n"
        inputs = [
            (1, head + b"".join(b"  s%d: {use: redis}\n" % i for i in range(5000))),
            (2, b"[" * 500000),
            (3, b"- " * 300000),
            (4, b"a: " + b"x" * 1000000),
            (5, head + b"  a: {use: redis, with: {x: '" + b"${" * 100000 + b"'}}\n"),
            (6, b'"' + b"\\n" * 400000),
            (7, b"? " * 300000),
            (8, b"\n" * 1000000),
            (9, head + b"".join(b"  s%d: {use: redis, needs: {a: s%d}}\n" % (i, i + 1) for i in range(900))),
        ]
        self.check_all(inputs)


if __name__ == "__main__":
    unittest.main()
