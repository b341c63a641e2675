"""A real Kafka with a second listener, which takes agents and services only over TLS and by password (SCRAM).

The plain listener is for the broker itself and for the test, which is its administrator.
"""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.local.kafka import Kafka, settings
from services.local.ports import free, kept

USER, PASSWORD = "muster", "roll-call"
MECHANISM = "SCRAM-SHA-512"


class SecuredKafka:
    """A broker, and how to reach it as one who has a password and trusts its certificate."""

    def __init__(self, folder: Path) -> None:
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
        self.kafka = Kafka(folder, properties, [f"{MECHANISM}=[name={USER},password={PASSWORD}]"])

    @property
    def settings(self) -> dict[str, str]:
        """What a service is told to come in; keys as in ``KafkaSettings``."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.authority),
            "sasl_mechanism": MECHANISM,
            "sasl_username": USER,
            "sasl_password": PASSWORD,
        }


def _keystore(authority: trustme.CA, path: Path) -> Path:
    """Write key and chain as Kafka reads them: the key in PKCS#8, first."""
    issued = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + b"".join(part.bytes() for part in issued.cert_chain_pems))
    return path
