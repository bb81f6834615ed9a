"""An HTTP proxy in front of one server, for what a network does to requests in the middle.

    with Proxy(("127.0.0.1", 10000), meddle) as p: ...   meddle(request, forward) -> Reply | None
`meddle` sees every request; `forward()` sends it on and gives the Reply. None: the connection is closed without an
answer. Requests are carried side by side; all that came are in `requests`.
"""
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Request:
    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.target, self.path, self.headers, self.body = method, target, parts.path, headers, body
        self.query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}

    @property
    def is_save(self):
        """A write of the blob itself."""
        return self.method == "PUT" and "comp" not in self.query and self.body != b""


class Reply:
    def __init__(self, status, headers=(), body=b""):
        self.status, self.headers, self.body = status, list(headers), body


class Proxy:
    def __init__(self, upstream, meddle):
        self.requests = []
        outer = self

        class H(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length) if length else b"")
                outer.requests.append(request)
                reply = meddle(request, lambda: outer.forward(upstream, request))
                if reply is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response_only(reply.status)
                for name, value in reply.headers:
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "keep-alive"):
                        self.send_header(name, value)
                if reply.status not in (204, 304):
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_GET = do_PUT = do_DELETE = do_HEAD = handle_any

        class S(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.http = S(("127.0.0.1", 0), H)
        self.port = self.http.server_address[1]

    @staticmethod
    def forward(upstream, request):
        connection = http.client.HTTPConnection(*upstream, timeout=30)
        try:
            connection.putrequest(request.method, request.target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("host", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
