"""A small HTTP(S) server for tests: a handler decides, every request is kept.

    with Server(handler) as s: ...   handler(request) -> Answer | (status, body) | None (404)
"""
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_certificate = None


def certificate():
    """A self-signed certificate for 127.0.0.1, localhost, arm.test and vaults, made once: (cert and key, cert) paths."""
    global _certificate
    if _certificate is None:
        folder = tempfile.mkdtemp(prefix="fake-tls-")
        key, cert, both = (os.path.join(folder, n) for n in ("key.pem", "cert.pem", "both.pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
             "-subj", "/CN=fake", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:arm.test,DNS:*.vault.localhost"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        with open(both, "w") as f, open(cert) as c, open(key) as k:
            f.write(c.read() + k.read())
        _certificate = (both, cert)
    return _certificate


class Request:
    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.target = method, parts.path, target
        self.query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self.headers = {k.lower(): v for k, v in headers.items()}
        self.body = body
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self):
        return {k: v[0] for k, v in parse_qs(self.body.decode()).items()}


class Answer:
    """cut=N sends N bytes of the body and closes; drop closes without an answer."""

    def __init__(self, status=200, body=None, headers=None, delay=0, cut=None, drop=False):
        self.status, self.headers, self.delay, self.cut, self.drop = status, headers or {}, delay, cut, drop
        if isinstance(body, (dict, list)):
            self.headers.setdefault("Content-Type", "application/json; charset=utf-8")
            body = json.dumps(body).encode()
        self.body = body.encode() if isinstance(body, str) else body or b""


class Server:
    def __init__(self, handler, tls=True):
        """`tls`: True for certificate(), False for none, or the paths of a certificate and its key."""
        self.handler, self.tls, self.requests = handler, tls, []
        self.lock = threading.Lock()
        outer = self

        class H(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                if self.headers.get("Transfer-Encoding"):
                    body = self.read_chunks()
                request = Request(self.command, self.path, self.headers, body)
                with outer.lock:
                    outer.requests.append(request)
                    answer = outer.handler(request)
                if answer is None:
                    answer = Answer(404, {"error": {"code": "ResourceNotFound", "message": "not here"}})
                if isinstance(answer, tuple):
                    answer = Answer(*answer)
                if answer.delay:
                    time.sleep(answer.delay)
                self.reply(answer)

            def read_chunks(self):
                body = b""
                while True:
                    n = int(self.rfile.readline().strip() or b"0", 16)
                    body += self.rfile.read(n)
                    self.rfile.readline()
                    if n == 0:
                        return body

            def reply(self, answer):
                if answer.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for k, v in answer.headers.items():
                    self.send_header(k, v)
                if answer.status not in (204, 304):
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if answer.status not in (204, 304):
                    self.wfile.write(answer.body if answer.cut is None else answer.body[:answer.cut])
                if answer.cut is not None:
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

        class S(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass

        self.http = S(("127.0.0.1", 0), H)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*(tls if isinstance(tls, tuple) else (certificate()[0],)))
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.http.server_address[1])

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *args):
        self.http.shutdown()
        self.http.server_close()

    def seen(self, method=None, path=None):
        with self.lock:
            return [r for r in self.requests
                    if (method is None or r.method == method) and (path is None or path.lower() in r.path.lower())]
