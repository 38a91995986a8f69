"""Runs one command as a container of ECS does, in the namespaces that `unshare --mount --net` has made.

    jail.py --user UID --port PORT --gate SOCKET --record FD [--writable DIR ...] [--exposed PATH ...] -- COMMAND...

The root is read-only but for the volumes; the user is the image's. Of the network there is what listens on
PORT of this machine's own name, which is the emulator's gate (network_gate.py); every other address is
answered as by a network without a route to it, at once, and written down: the address, and names that were asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

# Classic BPF over the packets of an interface, from their IP header: UDP, and the first packet of TCP.
FILTER = [
    (0x30, 0, 0, 9),
    (0x15, 5, 0, 17),
    (0x15, 0, 5, 6),
    (0xB1, 0, 0, 0),
    (0x50, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 2),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
]
SO_ATTACH_FILTER = 26
IPV4, TCP = 0x0800, 6


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gate", required=True)
    parser.add_argument("--record", type=int, required=True)
    parser.add_argument("--writable", action="append", default=[])
    parser.add_argument("--exposed", action="append", default=[])
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    make_network()
    # Opened outside: a file that is open for writing here would keep the root from becoming read-only.
    record = os.fdopen(arguments.record, "w", encoding="utf-8")
    start(note_attempts, record, arguments.port)
    start(forward, arguments.port, arguments.gate)
    make_root(arguments.writable, arguments.exposed)
    return run(arguments.command, arguments.user)


def start(work: object, *arguments: object) -> None:
    ready = threading.Event()
    threading.Thread(target=work, args=(ready, *arguments), daemon=True).start()  # type: ignore[arg-type]
    ready.wait()


def make_network() -> None:
    """Every address is this namespace's own: nothing leaves, and where nobody listens it is refused."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"], check=True)


def make_root(writable: list[str], exposed: list[str]) -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    expose(exposed)
    for folder in writable:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", "/"], check=True)


def expose(paths: list[str]) -> None:
    """Lays an empty folder over each that is closed to others, and in it nothing but these paths."""
    for closed in {closed_above(path) for path in paths}:
        inside = [path for path in paths if closed_above(path) == closed]
        kept = [os.open(path, os.O_PATH) for path in inside]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", closed], check=True)
        for path, at in zip(inside, kept, strict=True):
            source = f"/proc/{os.getpid()}/fd/{at}"
            os.makedirs(path if os.path.isdir(source) else os.path.dirname(path), exist_ok=True)
            if not os.path.isdir(source):
                open(path, "w", encoding="utf-8").close()
            # As it is said: by its name the source would be the empty folder that lies over it now.
            subprocess.run(["mount", "-c", "--bind", source, path], check=True)
            os.close(at)


def closed_above(path: str) -> str:
    """The highest folder above a path that others may not pass."""
    parts = path.split(os.sep)
    for depth in range(2, len(parts)):
        folder = os.sep.join(parts[:depth])
        if not os.stat(folder).st_mode & 0o001:
            return folder
    return os.path.dirname(path)


def run(command: list[str], user: int) -> int:
    """As process 1 of a container: passes SIGTERM on. The kernel ends the job where this ends."""
    identity = ["--reuid", str(user), "--regid", str(user), "--clear-groups", "--no-new-privs"]
    process = subprocess.Popen(["setpriv", *identity, "--pdeathsig", "KILL", *command])
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    code = process.wait()
    return code if code >= 0 else 128 - code


def forward(ready: threading.Event, port: int, gate: str) -> None:
    """What the job sends to the emulator's address goes through the gate, which reaches across namespaces."""
    server = socket.create_server(("127.0.0.1", port))
    ready.set()
    while True:
        client, _ = server.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(gate)
        for one, other in ((client, upstream), (upstream, client)):
            threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            end.close()


def note_attempts(ready: threading.Event, record: object, port: int) -> None:
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
    program = b"".join(struct.pack("HBBI", *line) for line in FILTER)
    buffer = (len(FILTER), program)
    attach(sniffer, *buffer)
    sniffer.bind(("lo", IPV4))
    ready.set()
    seen: set[str] = set()
    while True:
        # Of this protocol alone a socket sees what arrives: on the loopback, all that was sent.
        attempt = describe(sniffer.recv(4096), port)
        if attempt is None or attempt in seen:
            continue
        seen.add(attempt)
        line = {"what": attempt, "verdict": "denied: the network has no route"}
        record.write(json.dumps(line) + "\n")  # type: ignore[attr-defined]
        record.flush()  # type: ignore[attr-defined]


def attach(sniffer: socket.socket, length: int, program: bytes) -> None:
    import ctypes

    kept = ctypes.create_string_buffer(program)
    sniffer.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", length, ctypes.addressof(kept))
    )


def describe(packet: bytes, port: int) -> str | None:
    """None of what goes to the gate, and of this namespace's answers."""
    start = (packet[0] & 0x0F) * 4
    to = socket.inet_ntoa(packet[16:20])
    _, to_port = struct.unpack("!HH", packet[start : start + 4])
    if packet[9] == TCP:
        return None if (to, to_port) == ("127.0.0.1", port) else f"connect {to}:{to_port}"
    return f"resolve {name_asked(packet[start + 8 :])}" if to_port == 53 else f"send {to}:{to_port}"


def name_asked(query: bytes) -> str:
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("utf-8", "replace"))
        at += 1 + query[at]
    return ".".join(labels)


if __name__ == "__main__":
    sys.exit(main())
