"""Ports of the stack are free, are kept, and are none that a client may be given."""

import socket
from pathlib import Path

from services.local.ports import free, kept


def test_a_free_port_is_none_that_systems_give_to_outgoing_connections() -> None:
    """A client that retries such a port while its server is away can end up connected to itself."""
    assert all(1024 < free() < 32768 for _ in range(200))


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free()))


def test_a_kept_port_is_the_same_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "part" / "port"
    assert kept(file) == kept(file)
