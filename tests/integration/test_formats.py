"""JUnit, SARIF, JSON, Markdown and annotations against the rules of their readers: ours from the public schemas, and the SARIF
schema itself where npm's packages ajv and @microsoft/jest-sarif are at hand (DEPLOYER_NPM)."""
import html.parser
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
import xml.etree.ElementTree as xml

from support import ROOT, cli

NPM = os.environ.get("DEPLOYER_NPM") or os.path.join(
    os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "deployer", "npm")
SCHEMA = os.path.join(NPM, "node_modules", "@microsoft", "jest-sarif", "lib", "schemas", "sarif-2.1.0-rtm.5.json")
BAD = """deployer: 1
stack: x
location: japaneast
azure: {subscription: 00000000-0000-0000-0000-000000000000, resource_group: rg}
services:
  redis: {use: redis, with: {clusterin: NoCluster}}
  pg: {use: postgress}
"""
# junit-10 of Jenkins' xUnit plugin, the schema that CI systems' own readers follow, in a table: element -> (children in any
# order and number, attributes that it must have, that it may have, whether it has text).
JUNIT = {
    "testsuites": (("testsuite",), (), ("name", "time", "tests", "failures", "errors"), False),
    "testsuite": (("testsuite", "properties", "testcase", "system-out", "system-err"), ("name", "tests", "failures", "errors"),
                  ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"), False),
    "testcase": (("skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out", "system-err"),
                 ("name",), ("time", "classname", "group"), False),
    "failure": ((), (), ("type", "message"), True), "error": ((), (), ("type", "message"), True), "skipped": ((), (), ("type", "message"), True),
    "system-out": ((), (), (), True), "system-err": ((), (), (), True),
    "properties": (("property",), (), (), False), "property": ((), ("name", "value"), (), False),
}
JUNIT_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def junit_faults(element, path=""):
    """What the schema says against a document."""
    path += "/" + element.tag
    if element.tag not in JUNIT:
        return [path + ": no such element"]
    children, needed, allowed, has_text = JUNIT[element.tag]
    faults = ["%s: needs %s" % (path, a) for a in needed if a not in element.attrib]
    faults += ["%s: has no attribute %s" % (path, a) for a in element.attrib if a not in needed + allowed]
    if element.tag in ("testsuite", "testsuites") and not JUNIT_TIME.fullmatch(element.get("time", "0")):
        faults.append(path + ": time")
    if not has_text and "".join([element.text or ""] + [c.tail or "" for c in element]).strip():
        faults.append(path + ": has text")
    for child in element:
        faults += ["%s: may not hold %s" % (path, child.tag)] if child.tag not in children else junit_faults(child, path)
    return faults


FORMATS = ("json", "junit", "sarif", "markdown", "github", "html")
VOID = ("meta", "br", "hr", "img", "link", "input")
TAGS = {"html", "meta", "title", "style", "main", "h1", "h2", "h3", "h4", "p", "ul", "li", "b", "i", "span", "small", "article", "dl", "dt", "dd",
        "details", "summary", "code", "strong", "pre", "div", "footer"}


class Page(html.parser.HTMLParser):
    """Reads a page; `faults` are tags and attributes that have no place in a file of its own, `open` what was not closed."""

    def __init__(self, text):
        super().__init__()
        self.faults, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS:
            self.faults.append(tag)
        self.faults += ["%s %s" % (tag, a) for a, _ in attributes if a.startswith("on") or a in ("src", "href", "action", "background")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append("/" + tag)

    def handle_data(self, data):
        self.text += data if self.open and self.open[-1] != "style" else ""


def outputs(*command, cwd=None):
    """The exit status, and what the command writes in each format."""
    with tempfile.TemporaryDirectory() as folder:
        to = {f: os.path.join(folder, f) for f in FORMATS}
        done = cli(*command, *[a for f in FORMATS for a in ("-o", "%s=%s" % (f, to[f]))], cwd=cwd)
        texts = {}
        for name, path in to.items():
            with open(path, encoding="utf-8") as f:
                texts[name] = f.read()
        return done.returncode, texts


class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="formats-")
        with open(os.path.join(cls.folder, "a stack#1.yaml"), "w") as f:
            f.write(BAD)
        example = os.path.join(ROOT, "examples", "langfuse")
        shutil.copy(os.path.join(example, "stack.yaml"), cls.folder)
        shutil.copy(os.path.join(example, ".env.example"), os.path.join(cls.folder, ".env"))
        cls.rows = {
            "refused": outputs("probe", "tcp://127.0.0.1:1"),
            "odd name": outputs("probe", "http://127.0.0.1:1/x&y'*_%3C%0a%22?a=b&c"),
            "bad stack": outputs("validate", "a stack#1.yaml", cwd=cls.folder),
            "good stack": outputs("validate", "stack.yaml", cwd=cls.folder),
        }
        os.mkdir(os.path.join(cls.folder, "warned"))
        shutil.copy(os.path.join(example, "stack.yaml"), os.path.join(cls.folder, "warned"))
        with open(os.path.join(example, ".env.example")) as f, open(os.path.join(cls.folder, "warned", ".env"), "w") as to:
            to.write(f.read() + "SALT=another-salt-that-counts\n")  # a warning: it is there twice
        with open(os.path.join(cls.folder, "warned", "langfuse.env"), "w") as f:
            f.write("DATABASE_URL=postgresql://a:b@c/d\nNEXTAUTH_URLL=http://x\n")
        for level in ("error", "warn"):
            more = ("--fail-on", level)
            cls.rows["warned, " + level] = outputs("validate", "warned/stack.yaml", *more, cwd=cls.folder)
            cls.rows["env, " + level] = outputs("env", "--check", "warned/langfuse.env", *more, cwd=cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def each(self, form):
        return [(name, texts[form]) for name, (_, texts) in self.rows.items()]

    # ---- JUnit: the elements and attributes that Jenkins' and GitLab's readers demand ----

    def test_junit(self):
        for _, text in self.each("junit"):
            root = xml.fromstring(text)
            self.assertEqual(root.tag, "testsuites")
            cases = list(root.iter("testcase"))
            self.assertTrue(cases, "a report without a case is an error to its readers")
            self.check_counts(root, cases)
            for suite in root:
                self.assertEqual(suite.tag, "testsuite")
                self.assertLessEqual({"name", "tests", "failures", "errors", "skipped", "time"}, set(suite.attrib))
                self.check_counts(suite, list(suite))
                for case in suite:
                    self.check_case(case)

    def test_junit_by_its_schema(self):
        for name, text in self.each("junit"):
            self.assertTrue(text.startswith('<?xml version="1.0" encoding="UTF-8"?>'), text[:60])
            self.assertEqual(junit_faults(xml.fromstring(text)), [], name)
        rows = [("<testsuites><case/></testsuites>", "/testsuites: may not hold case"), ("<testsuites skipped='1'/>", "/testsuites: has no attribute skipped"),
                ("<testsuite name='a' tests='1' failures='0'/>", "/testsuite: needs errors"),
                ("<testsuites><testsuite name='a' tests='1' failures='0' errors='0' time='1 s'/></testsuites>", "/testsuites/testsuite: time"),
                ("<testcase name='a'>text</testcase>", "/testcase: has text")]
        for text, fault in rows:
            self.assertEqual(junit_faults(xml.fromstring(text)), [fault])

    def check_counts(self, element, cases):
        failed = sum(1 for c in cases if c.find("failure") is not None)
        self.assertEqual((int(element.get("tests")), int(element.get("failures"))), (len(cases), failed))
        self.assertRegex(element.get("time"), r"^\d+\.\d{3}$")

    def check_case(self, case):
        self.assertEqual(case.tag, "testcase")
        self.assertEqual(set(case.attrib), {"name", "classname", "time"})
        self.assertTrue(case.get("name"))
        self.assertLessEqual(len([c for c in case if c.tag in ("failure", "skipped", "error")]), 1)
        for child in case:
            self.assertIn(child.tag, ("failure", "skipped", "system-out"))
            if child.tag == "failure":
                self.assertTrue(child.get("message") and child.get("type"))

    def test_junit_tells_failures(self):
        self.assertEqual(xml.fromstring(self.rows["bad stack"][1]["junit"]).get("failures"), "2")
        self.assertEqual(xml.fromstring(self.rows["good stack"][1]["junit"]).get("failures"), "0")

    def test_junit_fails_where_the_command_does(self):
        """From --fail-on on, in each form that has a verdict; what is below is still told."""
        for name, (status, texts) in self.rows.items():
            root = xml.fromstring(texts["junit"])
            self.assertEqual(root.get("failures") != "0", status != 0, name)
        self.assertEqual([self.rows["warned, " + level][0] for level in ("error", "warn")], [0, 1])
        said = xml.fromstring(self.rows["warned, error"][1]["junit"]).find(".//system-out").text
        self.assertRegex(said, r"dotenv\.twice: warned/\.env:\d+: SALT is set twice")
        self.assertIn("❌ 1 finding at or above 'warn' fails", self.rows["warned, warn"][1]["markdown"])
        self.assertIn("1 finding at or above 'warn' fails", html.unescape(self.rows["warned, warn"][1]["html"]))

    def test_plan_judges_messages_too(self):
        done = cli("plan", "warned/stack.yaml", "--state", "none.json", "--fail-on", "warn", cwd=self.folder)
        self.assertEqual((done.returncode, "nothing was touched" in done.stderr), (1, True), done.stderr)

    # ---- SARIF 2.1.0 ----

    def test_sarif(self):
        for _, text in self.each("sarif"):
            log = json.loads(text)
            self.assertEqual(log["version"], "2.1.0")
            for run in log["runs"]:
                driver = run["tool"]["driver"]
                self.assertTrue(driver["name"])
                rules = [r["id"] for r in driver["rules"]]
                self.assertEqual(len(rules), len(set(rules)), "rules are unique")
                for result in run["results"]:
                    self.check_result(result, rules)

    def test_sarif_by_the_rules_of_2_1_0(self):
        """What the standard demands and a reader relies on, where the schema itself is not at hand."""
        for name, text in self.each("sarif"):
            log = json.loads(text)
            self.assertEqual(set(log), {"$schema", "version", "runs"}, name)
            self.assertRegex(log["$schema"], r"^https://.*sarif.*2\.1\.0.*\.json$")
            for run in log["runs"]:
                self.assertLessEqual({"tool", "results"}, set(run))
                for rule in run["tool"]["driver"]["rules"]:
                    self.assertLessEqual(set(rule), {"id", "name", "shortDescription", "fullDescription", "help", "helpUri", "properties",
                                                     "defaultConfiguration", "messageStrings"})
                    for key in ("shortDescription", "help"):
                        self.assertTrue(key not in rule or rule[key]["text"], rule)
                for result in run["results"]:
                    self.assertLessEqual(set(result), {"ruleId", "ruleIndex", "level", "kind", "message", "locations", "properties",
                                                       "partialFingerprints", "relatedLocations"})
                    self.assertEqual(set(result["message"]), {"text"})
                    for location in result.get("locations", []):
                        place = location["physicalLocation"]
                        self.assertEqual(set(place), {"artifactLocation", "region"})
                        self.check_uri(place["artifactLocation"]["uri"])

    def check_uri(self, uri):
        """RFC 3986: absolute with a scheme, or relative without a drive, a backslash or a way up."""
        parts = urllib.parse.urlsplit(uri)
        self.assertIn(parts.scheme, ("", "file"), uri)
        self.assertNotIn("\\", uri)
        self.assertEqual((parts.query, parts.fragment), ("", ""), uri)
        self.assertTrue(parts.scheme == "" or uri.startswith("file:///"), uri)

    def check_result(self, result, rules):
        self.assertIn(result["ruleId"], rules)
        self.assertIn(result["level"], ("none", "note", "warning", "error"))
        self.assertTrue(result["message"]["text"])
        for location in result.get("locations", []):
            place = location["physicalLocation"]
            self.assertRegex(place["artifactLocation"]["uri"], r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$")
            self.assertNotRegex(place["artifactLocation"]["uri"], "%(?![0-9A-F]{2})")
            self.assertGreaterEqual(place["region"]["startLine"], 1)
            self.assertGreaterEqual(place["region"]["startColumn"], 1)

    def test_sarif_has_the_place(self):
        results = json.loads(self.rows["bad stack"][1]["sarif"])["runs"][0]["results"]
        place = results[0]["locations"][0]["physicalLocation"]
        self.assertEqual(place["artifactLocation"]["uri"], "a%20stack%231.yaml")
        self.assertEqual((place["region"]["startLine"], place["region"]["startColumn"]), (6, 30))

    @unittest.skipUnless(os.path.exists(SCHEMA) and shutil.which("node"),
                         "missing: npm packages ajv, ajv-draft-04, ajv-formats and @microsoft/jest-sarif in " + NPM)
    def test_sarif_by_its_schema(self):
        script = ("const schema = require(process.argv[1]);"
                  "const Ajv = require(String(schema.$schema).includes('draft-04') ? 'ajv-draft-04' : 'ajv');"
                  "const ajv = new (Ajv.default || Ajv)({strict: false, allErrors: true, unicodeRegExp: false});"
                  "require('ajv-formats')(ajv);"
                  "const ok = ajv.validate(schema, JSON.parse(require('fs').readFileSync(0)));"
                  "if (!ok) { console.error(ajv.errorsText()); process.exit(1); }")
        for _, text in self.each("sarif"):
            done = subprocess.run(["node", "-e", script, SCHEMA], input=text, text=True, cwd=NPM, timeout=60,
                                  env={**os.environ, "NODE_PATH": os.path.join(NPM, "node_modules")},
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout)

    # ---- JSON: docs/json.md ----

    def test_json_has_what_is_documented(self):
        for name, text in self.each("json"):
            document = json.loads(text)
            self.assertEqual(document["format_version"], 1)
            self.assertIsInstance(document["findings"], list)
            if document.get("kind") == "env":
                self.assertIn(document["fail_on"], ("error", "warn"))
            elif "checks" in document and isinstance(document["checks"], list):
                self.check_document(document)
            else:
                self.assertIn("valid", document, name)

    def check_document(self, document):
        self.assertIn(document["kind"], ("probe", "verify"))
        self.assertEqual(document["fail_on"], "error")
        self.assertEqual(set(document["summary"]), {"pass", "fail", "warn", "skip"})
        self.assertEqual(sum(document["summary"].values()), len(document["checks"]))
        self.assertRegex(document["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        for check in document["checks"]:
            self.assertLessEqual({"name", "service", "probe", "status", "vantage", "duration_ms", "target", "findings"}, set(check))
            self.assertIn(check["status"], ("pass", "fail", "warn", "skip"))
            self.assertTrue(check["status"] == "pass" or check.get("reason") or check["findings"])
        for finding in document["findings"]:
            self.assertLessEqual({"runbook", "title", "severity", "certainty", "cause", "fix", "evidence", "checks", "endpoint"},
                                 set(finding))
            self.assertIn(finding["severity"], ("error", "warning", "note"))
            self.assertIn(finding["certainty"], ("certain", "likely"))

    # ---- HTML: one file, nothing loaded, nothing of the input taken for markup ----

    def test_html(self):
        for name, text in self.each("html"):
            page = Page(text)
            self.assertEqual((page.faults, page.open), ([], []), name)
            self.assertIn("default-src 'none'", text)
            self.assertIn("prefers-color-scheme:dark", text)
            document = json.loads(self.rows[name][1]["json"])
            for finding in document["findings"]:
                self.assertIn((finding.get("cause") or finding.get("text") or finding.get("path"))[:40], page.text)
                if finding.get("runbook"):
                    self.assertIn("Runbook " + finding["runbook"], page.text)
        self.assertIn("x&y'*_%3C%0a%22", Page(self.rows["odd name"][1]["html"]).text.replace("?a=b&c", ""))
        self.assertIn("All is well", Page(self.rows["good stack"][1]["html"]).text)

    def test_html_of_a_hostile_server(self):
        """What a server says is in the evidence, as text."""
        bait = "<script>alert(1)</script><img src=//x.example/ onerror='x'></pre></details>"

        def answer(listener):
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(4096)
                    peer.sendall(("HTTP/1.1 500 No\r\nServer: %s\r\nContent-Length: %d\r\n\r\n%s" % (bait, len(bait), bait)).encode())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
            text = outputs("probe", "http://127.0.0.1:%d/" % listener.getsockname()[1])[1]["html"]
        page = Page(text)
        self.assertEqual((page.faults, page.open), ([], []))
        self.assertIn("<script>alert(1)", page.text)
        self.assertNotIn("<script", text)

    # ---- GitHub: annotations and step summary ----

    def test_github(self):
        for _, text in self.each("github"):
            for line in text.splitlines():
                self.assertRegex(line, r"^::(error|warning|notice)( [a-zA-Z]+=[^,:]*(,[a-zA-Z]+=[^,:]*)*)?::.+$")

    def test_markdown(self):
        for _, text in self.each("markdown"):
            self.assertTrue(text.startswith("## deployer "))
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
            self.assertLessEqual(len(widths), 1, "every row of the table has as many cells")


if __name__ == "__main__":
    unittest.main()
