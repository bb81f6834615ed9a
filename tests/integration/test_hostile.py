"""Hostile servers: an endless line, a huge length, slow bytes, garbage behind a good start, a stream
without end. Each probe ends in time, with little memory, with a document and no crash."""
import json
import os
import random
import socket
import subprocess
import threading
import time
import unittest

import lab

MEMORY_MAX_KIB = 96 * 1024
SECONDS_MAX = 12.0
NOISE = random.Random(7).randbytes(1 << 16)
SSL_NO = b"N"
CH_HELLO = b"\x00\x0aClickHouse\x12\x10\x8c\xa9\x03\x07Etc/UTC\x02vm\x01"  # observed.md
HTTP_OK = b"HTTP/1.1 200 OK\r\n"
TLS_RECORD = b"\x16\x03\x03"

# name -> (what is sent first, what then without end, seconds between two pieces of one byte)
BEHAVIOURS = {
    "redis": {
        "endless line": (b"+", b"a" * 65536),
        "endless bulk": (b"$2000000000\r\n", b"a" * 65536),
        "huge array": (b"*2000000000\r\n", b":1\r\n" * 9000),
        "deep arrays": (b"", b"*1\r\n" * 16000),
        "garbage after a good start": (b"+OK\r\n+PONG\r\n", NOISE),
        "no end": (b"", b"\x00" * 65536),
    },
    "postgres": {
        "huge message": (SSL_NO + b"R\x7f\xff\xff\xff", b"a" * 65536),
        "huge error": (SSL_NO + b"E\x3f\xff\xff\xff", b"SFATAL\0" * 9000),
        "negative length": (SSL_NO + b"R\xff\xff\xff\xff", NOISE),
        "garbage after a good start": (SSL_NO + b"R\x00\x00\x00\x08\x00\x00\x00\x00", NOISE),
        "notices without end": (SSL_NO, b"N\x00\x00\x00\x0bSWARN\0\0" * 4000),
        "no end": (b"", b"S" * 65536),
    },
    "clickhouse": {
        "huge text": (b"\x00\xff\xff\xff\xff\x7f", b"a" * 65536),
        "endless number": (b"\x00" + b"\xff" * 64, b"\xff" * 65536),
        "garbage after a good start": (CH_HELLO, NOISE),
        "progress without end": (CH_HELLO, b"\x03\x01\x01\x01" * 16000),
        "many columns": (CH_HELLO + b"\x01\x00\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f", NOISE),
        "no end": (b"", b"\x02" * 65536),
    },
    "http": {
        "endless header": (HTTP_OK + b"X: ", b"a" * 65536),
        "headers without end": (HTTP_OK, b"X-Y: z\r\n" * 8000),
        "gigabytes": (HTTP_OK + b"Content-Length: 100000000000\r\n\r\n", b"a" * 65536),
        "chunks without end": (HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"ffff\r\n" + b"a" * 65535 + b"\r\n"),
        "huge chunk": (HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", b"a" * 65536),
        "interim answers without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2600),
        "no end": (b"", b"a" * 65536),
    },
    "tls": {
        "huge record": (TLS_RECORD + b"\xff\xff", NOISE),
        "garbage record": (TLS_RECORD + b"\x40\x00", NOISE),
        "alerts without end": (b"", b"\x15\x03\x03\x00\x02\x01\x00" * 9000),
        "no end": (b"", b"\x16" * 65536),
    },
    "tcp": {"no end": (b"", NOISE)},
}
SLOW = {  # a byte at a time, for ever
    "redis": b"+OK\r\n", "postgres": SSL_NO + b"R\x00\x00\x00\x08", "clickhouse": CH_HELLO,
    "http": HTTP_OK + b"A: b\r\n", "tls": TLS_RECORD + b"\x00\x40" + b"\x02",
}
URLS = {
    "redis": "redis://:secret@127.0.0.1:%d", "postgres": "postgres://u:secret@127.0.0.1:%d/d",
    "clickhouse": "clickhouse://u:secret@127.0.0.1:%d", "http": "http://127.0.0.1:%d/",
    "tls": "tls://127.0.0.1:%d", "tcp": "tcp://127.0.0.1:%d",
}


class Hostile:
    """Answers every connection with `first` and then `more` again and again."""

    def __init__(self, first, more, pause_s=0.0):
        self.first, self.more, self.pause_s = first, more, pause_s
        self.is_over = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.is_over:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer:
            try:
                peer.settimeout(20)
                peer.recv(1)  # nobody is told off before it has spoken
                if self.pause_s == 0:
                    peer.sendall(self.first)
                for piece in self.pieces():
                    peer.sendall(piece)
                    time.sleep(self.pause_s)
            except OSError:
                pass

    def pieces(self):
        while not self.is_over:
            if self.pause_s == 0:
                yield self.more
            else:
                for byte in self.first + self.more:
                    yield bytes([byte])

    def stop(self):
        self.is_over = True
        self.listener.close()


def measured(args):
    """stdout, exit status, peak memory in KiB, seconds."""
    started = time.monotonic()
    child = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    timer = threading.Timer(SECONDS_MAX + 20, child.kill)
    timer.start()
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    timer.cancel()
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    return out, child.returncode, usage.ru_maxrss, time.monotonic() - started


class HostileServers(unittest.TestCase):
    def check(self, protocol, server):
        try:
            out, status, memory, took = measured([lab.CLI, "probe", URLS[protocol] % server.port, "-o", "json", "--timeout", "4"])
        finally:
            server.stop()
        self.assertIn(status, (0, 1))
        document = json.loads(out)
        self.assertLess(len(out), 1 << 20)
        if protocol != "tcp":
            self.assertEqual(document["checks"][0]["status"], "fail")
        self.assertNotIn(b"secret@", out)
        self.assertLess(took, SECONDS_MAX)
        if "SANITIZED" not in os.environ:
            self.assertLess(memory, MEMORY_MAX_KIB)

    def test_streams(self):
        for protocol, kinds in BEHAVIOURS.items():
            for name, (first, more) in kinds.items():
                with self.subTest(protocol + ": " + name):
                    self.check(protocol, Hostile(first, more))

    def test_slow_bytes(self):
        for protocol, start in SLOW.items():
            with self.subTest(protocol):
                self.check(protocol, Hostile(start, start, pause_s=0.15))


if __name__ == "__main__":
    unittest.main()
