"""A way between two processes that can be cut: a TCP port on loopback before another one.

What a cut does is drawn by who uses it. A refusing gate resets every connection, as a firewall that
rejects. A silent one lets bytes lie: connections open, nothing answers, and once the gate is healed
everything that was sent arrives, late, as packets do that TCP has sent again and again.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 1 << 16
LISTEN_MAX = 128
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class Gate:
    """Leads from `port` to `target` while the context is open; it begins healed.

    `target` may be set later, so that the gate's own port is taken before others are looked for.
    """

    def __init__(self, target: int = 0, *, silent: bool) -> None:
        self.target, self.silent = target, silent
        self.stopped = 0
        """Connections that a cut has met."""
        self._healed = threading.Event()
        self._healed.set()
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server((LOOPBACK, 0), backlog=LISTEN_MAX)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Gate:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        # A blocked `accept` ends by this, not by closing alone.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._reset_all()
        self._healed.set()

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._healed.clear()
        with self._lock:
            self.stopped += len(self._links) // 2
        if not self.silent:
            self._reset_all()

    def heal(self) -> None:
        """Let everything through again."""
        self._healed.set()

    def _reset_all(self) -> None:
        with self._lock:
            links, self._links = self._links, set()
        for one in links:
            _reset(one)

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._healed.is_set():
                self.stopped += 1
                if not self.silent:
                    _reset(near)
                    continue
            threading.Thread(target=self._join, args=[near], daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        """Connect to what is behind, and carry bytes in both directions."""
        self._healed.wait()
        try:
            far = socket.create_connection((LOOPBACK, self.target))
        except OSError:
            _reset(near)
            return
        with self._lock:
            self._links |= {near, far}
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._closed:
            self._reset_all()
        threading.Thread(target=self._carry, args=[far, near], daemon=True).start()
        self._carry(near, far)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                self._healed.wait()
                sink.sendall(data)
        with self._lock:
            self._links -= {source, sink}
        for one in (source, sink):
            # Both directions end: HTTP has no use for half a connection.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
