"""A DNS server for one name: A answers 10.0.0.1, AAAA nothing, every other name NXDOMAIN."""
import socket
import struct
import threading


class Dns:
    def __init__(self, name, address="10.0.0.1"):
        self.name, self.address, self.asked = name, address, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *args):
        self.socket.close()

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(512)
                self.socket.sendto(self.answer(packet), peer)
            except OSError:
                return

    def answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += 1 + packet[at]
        question = packet[12:at + 5]
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        name = ".".join(labels)
        self.asked.append(name)
        known, is_a = name == self.name, kind == 1
        flags = 0x8580 | (0 if known else 3)
        head = packet[:2] + struct.pack(">HHHHH", flags, 1, int(known and is_a), 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(self.address)
        return head + question + (record if known and is_a else b"")
