"""The commands as they describe themselves: help and table agree, every command line in the documents is one that
the program takes, and what `completion` writes completes."""
import functools
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from support import DEPLOYER, ROOT, cli


@functools.lru_cache(maxsize=None)
def table():
    """{command: its description}"""
    done = cli("completion", "bash", "-o", "json")
    assert done.returncode == 0, done.stderr
    return {c["name"]: c for c in json.loads(done.stdout)["commands"]}


def options(command):
    """{"--plan": option, "-e": option}"""
    found = {}
    for o in command["options"]:
        found["--" + o["name"]] = o
        if o["letter"]:
            found["-" + o["letter"]] = o
    return found


def wrong_with(words):
    """What the program would refuse in `deployer WORDS`, or None. Placeholders of prose are let pass."""
    if not words or words[0] in ("--help", "--version", "COMMAND") or words[0].startswith("["):
        return None
    command = table().get(words[0])
    if command is None:
        return "no command %s" % words[0]
    known, rest, arguments = options(command), list(words[1:]), []
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if word in ("--help", "-h", "-", "...") or word.startswith("["):
            continue
        if not word.startswith("-"):
            arguments.append(word)
            continue
        if name not in known:
            return "%s has no option %s" % (words[0], name)
        option = known[name]
        if not option["has_value"]:
            if "=" in word:
                return "%s takes no value" % name
            continue
        if "=" not in word:
            if not rest:
                return "%s needs a value" % name
            value = rest.pop(0)
        allowed = command["formats"] if option["name"] == "output" else option["words"]
        if allowed and not value.isupper() and "FORMAT" not in value and not set(value.split("=")[0].split("|")) <= set(allowed):
            return "%s %s is not one of %s" % (name, value, ", ".join(allowed))
    if command["verbs"] and arguments and arguments[0] != "VERB" and not set(arguments[0].split("|")) <= set(command["verbs"]):
        return "%s is no verb of %s" % (arguments[0], words[0])
    return None


def command_lines(path):
    """(line number, words behind `deployer`) of the code in a document, a script or a comment."""
    with open(path) as f:
        text = f.read()
    is_markdown, inside = path.endswith(".md"), False
    text = text.replace("\\\n", "  ")
    for number, line in enumerate(text.split("\n"), 1):
        if is_markdown and line.lstrip().startswith("```"):
            inside = not inside
            continue
        parts = re.findall(r"`(deployer [^`]+)`", line) if is_markdown and not inside else []
        if inside or not is_markdown or line.startswith("    "):
            parts += [line]
        for part in parts:
            for one in re.split(r"&&|\|\||[;|]| > ", part) if " | " in part or "&&" in part or ";" in part or " > " in part else [part]:
                found = re.match(r"^[\s#]*(?:- )?(?:run: )?(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\./)?(?:build/release/)?deployer ([a-z-].*)$", one)
                if found:
                    yield number, found.group(1)


def split(text):
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


class Lines(unittest.TestCase):
    maxDiff = None

    def documents(self):
        for pattern in (("README.md",), ("docs", "*.md"), ("runbooks", "*.md"), ("examples", "**", "*"), ("services", "*", "*.yaml"),
                        ("templates", "**", "*.yaml")):
            for path in glob.glob(os.path.join(ROOT, *pattern), recursive=True):
                if os.path.isfile(path):
                    yield path

    def test_every_command_line_is_taken(self):
        count, wrong = 0, []
        for path in self.documents():
            for number, text in command_lines(path):
                words = split(text)
                # Prose that goes on behind the command: "deployer apply rolls the server".
                if os.path.splitext(path)[1] == ".yaml" and words[0] not in table():
                    continue
                count += 1
                why = wrong_with(words)
                if why:
                    wrong.append("%s:%d: deployer %s: %s" % (os.path.relpath(path, ROOT), number, text, why))
        self.assertEqual(wrong, [])
        self.assertGreater(count, 60)

    def test_what_the_program_itself_recommends(self):
        """Command lines in its own messages: string literals that begin with one."""
        wrong = []
        for path in glob.glob(os.path.join(ROOT, "deployer", "**", "*.c"), recursive=True):
            with open(path) as f:
                for text in re.findall(r'"(?:[^"\\]*: )?deployer ([a-z-]+ [^"\\]*)', f.read()):
                    words = split(text)
                    if words[0] in table() and any(w.startswith("--") for w in words):
                        why = wrong_with(words)
                        if why and "needs a value" not in why:
                            wrong.append("%s: deployer %s: %s" % (os.path.relpath(path, ROOT), text, why))
        self.assertEqual(wrong, [])

    def test_the_check_sees_what_is_wrong(self):
        rows = [("aply stack.yaml", "no command aply"), ("apply . --force", "apply has no option --force"), ("verify . --only", "--only needs a value"),
                ("plan . --target aws", "--target aws is not one of azure, sandbox"), ("sandbox run", "run is no verb of sandbox"),
                ("verify . -o pdf=x", "-o pdf=x is not one of"), ("apply . --yes=no", "--yes takes no value"), ("verify . -o junit=a -o sarif=b", None)]
        for text, why in rows:
            got = wrong_with(split(text))
            self.assertTrue(got == why or (why and got and got.startswith(why)), (text, got))


class Help(unittest.TestCase):
    def test_help_and_table_agree(self):
        for name, command in table().items():
            with self.subTest(name):
                told = set(re.findall(r"^ +(?:-[a-z], )?(--[a-z-]+)", command["usage"], re.M))
                self.assertEqual(told, {"--" + o["name"] for o in command["options"]})
                for o in command["options"]:
                    self.assertTrue(o["doc"], o["name"])
                    self.assertEqual(bool(o["value"]), o["has_value"], o["name"])
                self.assertEqual(cli(name, "--help").stdout, command["usage"])

    def test_every_verb_is_in_the_help(self):
        for name, command in table().items():
            for verb in command["verbs"]:
                self.assertRegex(command["usage"], r"\b%s\b" % verb, name)

    def test_a_wrong_verb_is_answered_with_the_right_one(self):
        done = cli("sandbox", "strat")
        self.assertEqual(done.returncode, 64)
        self.assertIn("'strat' is not one of start, stop, status, env (did you mean start?)", done.stderr)


class Completion(unittest.TestCase):
    SCRIPT = """
source <("$DEPLOYER" completion bash)
complete -p deployer >&2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_deployer
printf '%s\\n' "${COMPREPLY[@]}"
"""

    def complete(self, *words):
        done = subprocess.run(["bash", "-c", self.SCRIPT, "bash", "deployer", *words], cwd=os.path.join(ROOT, "examples", "langfuse"),
                              env={**os.environ, "DEPLOYER": DEPLOYER}, capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("complete -F _deployer deployer", done.stderr)
        return done.stdout.split()

    def test_bash(self):
        rows = [
            (("ap",), ["apply"]),
            (("apply", "--allow-"), ["--allow-replace", "--allow-data-loss", "--allow-adopt"]),
            (("apply", "--target", "s"), ["sandbox"]),
            (("apply", "st"), ["stack.yaml"]),
            (("apply", "--yes", "st"), ["stack.yaml"]),
            (("apply", "--plan", "st"), ["stack.yaml"]),
            (("sandbox", "sto"), ["stop"]),
            (("state", "pu"), ["pull", "push"]),
            (("state", "list", "st"), ["stack.yaml"]),
            (("verify", "-o", "s"), ["sarif"]),
            (("plan", "-e", ""), []),
            (("nonsense", "--x"), []),
        ]
        for words, wanted in rows:
            with self.subTest(words):
                self.assertEqual(self.complete(*words), wanted)

    def test_every_option_is_completed(self):
        for name, command in table().items():
            self.assertEqual(set(self.complete(name, "--")), {"--" + o["name"] for o in command["options"]} | {"--help"}, name)

    def check_syntax(self, shell, *args):
        if shutil.which(shell) is None:
            self.skipTest("missing: " + shell)
        with tempfile.NamedTemporaryFile("w", suffix="." + shell) as f:
            f.write(cli("completion", shell).stdout)
            f.flush()
            done = subprocess.run([shell, *args, f.name], capture_output=True, text=True, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_zsh(self):
        self.check_syntax("zsh", "-n")

    def test_fish(self):
        self.check_syntax("fish", "--no-execute")

    def test_all_shells_name_all_commands(self):
        for kind in ("bash", "zsh", "fish", "man"):
            text = cli("completion", kind).stdout
            for name in table():
                self.assertIn(name.replace("-", "\\-") if kind == "man" else name, text)

    def test_man_page(self):
        if shutil.which("groff") is None:
            self.skipTest("missing: groff")
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=cli("completion", "man").stdout, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("deployer apply STACK [OPTIONS]", done.stdout)

    def test_an_unknown_shell(self):
        done = cli("completion", "tcsh")
        self.assertEqual(done.returncode, 64)
        self.assertIn("'tcsh' is not one of bash, zsh, fish, man", done.stderr)


if __name__ == "__main__":
    unittest.main()
