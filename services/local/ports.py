"""Free ports of the loopback interface."""

import socket
from pathlib import Path


def free() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def kept(file: Path) -> int:
    """Return the port written in ``file``, or write a free one there: a restart comes back on the same port."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(free()))
    return int(file.read_text())
