"""The dialog probe against an API of our own: steps in order, login, repetition, facts, what fails."""
import base64
import http.server
import json
import subprocess
import tempfile
import threading
import unittest

import support


class Api(http.server.BaseHTTPRequestHandler):
    """Takes a trace by POST and shows it from the third time on that it is asked for."""

    def log_message(self, *args):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_allowed(self):
        wanted = "Basic " + base64.b64encode(b"pk:s3cret-value").decode()
        if self.headers.get("Authorization") == wanted:
            return True
        self.answer(401, {"message": "Invalid credentials"})
        return False

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"status": "OK", "version": "3.1.4"})
        if not self.is_allowed():
            return None
        name = self.path.rsplit("/", 1)[1]
        self.server.asked += 1
        if name in self.server.traces and self.server.asked >= 3:
            return self.answer(200, {"id": name})
        return self.answer(404, {"message": "not found"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.is_allowed():
            self.server.traces.add(body["id"])
            self.answer(201, {"taken": True})
        return None


STEPS = [
    {"name": "health", "path": "/health", "facts": {"api.version": "version"}},
    {"name": "write", "method": "POST", "path": "/traces", "body": {"id": "%{id}", "at": "%{now}"}, "expect_status": 201},
    {"name": "read", "path": "/traces/%{id}", "expect": {"id": "%{id}"}, "for_s": 5},
]


class Dialog(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.server.traces = set()
        self.server.asked = 0
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def probe(self, steps, secret="s3cret-value"):
        target = {"host": "127.0.0.1", "port": self.server.server_address[1], "tls": "off", "user": "pk", "steps": steps}
        out = subprocess.run([support.BUILD + "/tests/probe_tool", "dialog", json.dumps(target), "password=" + secret],
                             capture_output=True, text=True, timeout=30, check=True).stdout
        self.assertNotIn("s3cret-value", out)
        return json.loads(out)

    def test_every_step_holds(self):
        evidence = self.probe(STEPS)
        self.assertTrue(evidence["probe"]["ok"], evidence)
        self.assertEqual(evidence["api"]["version"], "3.1.4")
        self.assertEqual(evidence["dialog"], {"health": 200, "write": 201, "read": 200})
        self.assertGreaterEqual(self.server.asked, 3)

    def test_a_refused_login_ends_it(self):
        evidence = self.probe(STEPS, "wrong-value")
        self.assertFalse(evidence["probe"]["ok"])
        self.assertEqual(evidence["probe"]["error"], "write: HTTP status 401")
        self.assertNotIn("read", evidence["dialog"])

    def test_what_never_comes_fails_in_its_time(self):
        steps = STEPS[:2] + [{"name": "read", "path": "/traces/other", "expect": {"id": "other"}, "for_s": 1}]
        evidence = self.probe(steps)
        self.assertEqual(evidence["probe"]["error"], "read: HTTP status 404")
        self.assertLess(evidence["probe"]["duration_ms"], 5000)

    def test_taken_and_never_shown(self):
        """Facts of a step itself, as the runbook on lost events wants them."""
        def steps(path):
            return [{**STEPS[1], "facts": {"langfuse.ingest_status": "$status"}},
                    {"name": "read", "path": path, "expect": {"id": "%{id}"}, "for_s": 3, "facts": {"langfuse.read_back": "$held"}}]
        evidence = self.probe(steps("/traces/other"))
        self.assertEqual(evidence["langfuse"], {"ingest_status": 201, "read_back": False})
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(evidence, f)
            f.flush()
            done = support.cli("runbooks", "test", "LF-005", f.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        evidence = self.probe(steps("/traces/%{id}"))
        self.assertEqual(evidence["langfuse"], {"ingest_status": 201, "read_back": True})

    def test_an_unexpected_value_is_named(self):
        evidence = self.probe([{"name": "health", "path": "/health", "expect": {"status": "BAD"}}])
        self.assertEqual(evidence["probe"]["error"], "health: status is not as expected")


if __name__ == "__main__":
    unittest.main()
