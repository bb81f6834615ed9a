"""A box in the middle that lets a TLS handshake through and then closes: real server, real certificate.

    with Cutter(("127.0.0.1", 10000)) as c: ...   c.port; every connection is cut at the client's first own record
"""
import selectors
import socket
import threading


class Records:
    """Counts the TLS records of type 23 (application data) in a stream of bytes."""

    def __init__(self):
        self.buffer, self.data = b"", 0

    def feed(self, more):
        self.buffer += more
        while len(self.buffer) >= 5:
            end = 5 + int.from_bytes(self.buffer[3:5], "big")
            if len(self.buffer) < end:
                return
            self.data += self.buffer[0] == 23
            self.buffer = self.buffer[end:]


class Cutter:
    def __init__(self, upstream, handshake_records=1):
        """`handshake_records`: how many such records the client's handshake has (TLS 1.3: its Finished)."""
        self.upstream, self.allowed, self.cut = upstream, handshake_records, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        seen = Records()
        with client, socket.create_connection(self.upstream, timeout=10) as server, \
                selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    try:
                        some = key.fileobj.recv(65536)
                        if key.fileobj is client:
                            seen.feed(some)
                            if seen.data > self.allowed:
                                self.cut += 1
                                return
                        if not some:
                            return
                        key.data.sendall(some)
                    except OSError:
                        return
