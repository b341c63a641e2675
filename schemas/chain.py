"""The hash chain that ties the events of a session to the one which began it (ADR 0007).

Who makes a chain chooses a secret, its last link, and hashes backwards to the anchor; whoever knows the anchor can
check a link, and nobody can make the next one.
"""

from hashlib import sha256


def leads_to(link: bytes, steps: int, anchor: bytes) -> bool:
    """Tell whether ``link`` (raw) hashes to ``anchor`` in exactly ``steps`` steps; costs so many hashes."""
    for _ in range(steps):
        link = sha256(link).digest()
    return link == anchor
