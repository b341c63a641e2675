"""A real Kafka with a second listener, which takes agents and services only over TLS and by password (SCRAM).

The plain listener is for the broker itself and for the test, which is its administrator. With ``guarded``, the others
may do only what they were given a right to, and the broker's log tells of each right that was used or missed.
"""

from collections.abc import Sequence
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.local.kafka import Kafka, settings
from services.local.ports import free, kept

USER, PASSWORD = "muster", "roll-call"
MECHANISM = "SCRAM-SHA-512"
_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
_AUDIT = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"


class SecuredKafka:
    """A broker, and how to reach it as one who has a password and trusts its certificate."""

    def __init__(self, folder: Path, users: Sequence[str] = (USER,), *, guarded: bool = False) -> None:
        folder.mkdir(parents=True)
        self.authority = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        port, self.port = kept(folder / "port"), free()
        listeners = settings(port, kept(folder / "controller-port"), folder / "data")
        secured = f"SECURED://127.0.0.1:{self.port}"
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        properties = {
            "listeners": f"{listeners['listeners']},{secured}",
            "advertised.listeners": f"{listeners['advertised.listeners']},{secured}",
            "listener.security.protocol.map": f"{listeners['listener.security.protocol.map']},SECURED:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(_keystore(authority, folder / "server.pem")),
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.secured.{MECHANISM.lower()}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }
        scram = [f"{MECHANISM}=[name={user},password={PASSWORD}]" for user in users]
        if guarded:
            properties |= _AUTHORIZER
        self.kafka = Kafka(folder, properties, scram, [_AUDIT] if guarded else [])

    @property
    def settings(self) -> dict[str, str]:
        """What a service is told to come in; keys as in ``KafkaSettings``."""
        return self.settings_of(USER)

    def settings_of(self, user: str) -> dict[str, str]:
        """What is told to somebody to come in as ``user``."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.authority),
            "sasl_mechanism": MECHANISM,
            "sasl_username": user,
            "sasl_password": PASSWORD,
        }


def _keystore(authority: trustme.CA, path: Path) -> Path:
    """Write key and chain as Kafka reads them: the key in PKCS#8, first."""
    issued = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + b"".join(part.bytes() for part in issued.cert_chain_pems))
    return path
