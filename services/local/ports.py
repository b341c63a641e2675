"""Free ports of the loopback interface, which stay free while their owner is restarted."""

import secrets
import socket
from pathlib import Path

_LOWEST, _COUNT = 20_000, 12_000
"""Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 on macOS). A client that
retries a port of those while its server is away ends up connected to itself, and the server cannot have it back."""
_TRIES = 1000


def free() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now; OSError where none is found."""
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_COUNT)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port of 127.0.0.1 between {_LOWEST} and {_LOWEST + _COUNT}")


def kept(file: Path) -> int:
    """Return the port written in ``file``, or write a free one there: a restart comes back on the same port."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(free()))
    return int(file.read_text())
