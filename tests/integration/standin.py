#!/usr/bin/env python3
"""Plays Langfuse's containers for the sandbox: an HTTP server with its health paths, and the
migration job. What it does is chosen by environment variables, or while it runs by a control file.

    standin.py [ROLE]          web, worker or migrate; default: $SANDBOX_CONTAINER

STANDIN_CONTROL   a JSON file, read again at each request; its members win over the variables:
                  {"health": 503, "start_s": 5, "exit": 1, "exit_after_s": 2, "web": {...}} (a
                  member named after the role is for that role alone)
STANDIN_HEALTH    status of the health and readiness paths (default 200)
STANDIN_START_S   seconds until it listens, or for which the job runs (default 0)
STANDIN_EXIT      exits with this status after the start-up time instead of serving
STANDIN_EXIT_AFTER_S  serves, then exits with STANDIN_EXIT (default 1) after so many seconds
STANDIN_LOG       a file that gets one JSON line per event (start, ready, end) with the environment
"""
import http.server
import json
import os
import signal
import sys
import threading
import time

ROLE = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else os.environ.get("SANDBOX_CONTAINER", "web")
DEFAULT_PORTS = {"web": 3000, "worker": 3030}
HEALTH = ("/api/public/health", "/api/public/ready", "/api/health", "/api/ready")


def control():
    path = os.environ.get("STANDIN_CONTROL", "")
    try:
        with open(path) as f:
            all_roles = json.load(f)
    except (OSError, ValueError):
        return {}
    own = all_roles.get(ROLE)
    return {**all_roles, **(own if isinstance(own, dict) else {})}


def setting(name, default):
    value = control().get(name)
    if value is None:
        value = os.environ.get("STANDIN_" + name.upper(), "")
    return default if value == "" else value


def note(event, **more):
    path = os.environ.get("STANDIN_LOG", "")
    print(json.dumps({"event": event, "role": ROLE, **more}), flush=True)
    if not path:
        return
    line = {"event": event, "role": ROLE, "time": time.time(), "pid": os.getpid(), **more}
    if event == "start":
        line["environment"] = dict(os.environ)
    with open(path, "a") as f:
        f.write(json.dumps(line) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        status = int(setting("health", 200)) if path in HEALTH else 200 if path == "/" else 404
        body = json.dumps({"status": "OK" if status < 400 else "error", "version": "stand-in", "role": ROLE}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def end(status):
    note("end", status=status)
    os._exit(status)


def serve():
    address = os.environ.get("SANDBOX_ADDRESS", "127.0.0.1")
    port = int(os.environ.get("PORT") or DEFAULT_PORTS.get(ROLE, 3000))
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    note("ready", address=address, port=port)
    after = float(setting("exit_after_s", 0))
    if after:
        threading.Timer(after, end, [int(setting("exit", 1))]).start()
    server.serve_forever()


def main():
    signal.signal(signal.SIGTERM, lambda *_: end(0))
    note("start", arguments=sys.argv[1:])
    time.sleep(float(setting("start_s", 0)))
    status = setting("exit", None)
    if ROLE == "migrate":
        end(int(status or 0))
    if status is not None and not float(setting("exit_after_s", 0)):
        end(int(status))
    serve()


if __name__ == "__main__":
    main()
