"""The rights that deploy/kafka gives, given on a real broker, and what its authorizer says of their use."""

import re
from pathlib import Path
from typing import NamedTuple

import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

MANIFESTS = Path(__file__).parents[2] / "deploy/kafka/users.yaml"
_TYPES = {"topic": 2, "group": 3}
_PATTERNS = {"literal": 3, "prefix": 4}
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
"""Numbers of Kafka's protocol (org.apache.kafka.common.acl.AclOperation and its neighbours)."""
_ALLOW = 3
_USE = re.compile(
    r"Principal = User:(?P<user>\S+) is (?P<verdict>Allowed|Denied) operation = (?P<operation>\w+) from host = \S+ on "
    r"resource = (?P<type>\w+):LITERAL:(?P<name>\S+)"
)


class Right(NamedTuple):
    """One operation that one user may do on what is so named."""

    user: str
    type: str
    name: str
    pattern: str
    operation: str

    def allows(self, use: "Use") -> bool:
        """Tell whether a use needs this right."""
        fits = use.name.startswith(self.name) if self.pattern == "prefix" else use.name == self.name
        asked = use.operation.replace("_", "").lower()
        return fits and (self.user, self.type, self.operation.lower()) == (use.user, use.type, asked)


class Use(NamedTuple):
    """What the authorizer was asked: the operation as in ``DESCRIBE_CONFIGS``, and whether it allowed it."""

    user: str
    type: str
    name: str
    operation: str
    allowed: bool


def rights() -> list[Right]:
    """Return every right in the manifests."""
    return [
        Right(user["metadata"]["name"], one["type"], one["name"], one.get("patternType", "literal"), operation)
        for user in yaml.safe_load_all(MANIFESTS.read_text())
        for acl in user["spec"]["authorization"]["acls"]
        for one in (acl["resource"],)
        for operation in acl["operations"]
    ]


async def give(bootstrap_servers: str) -> None:
    """Give them all, as an administrator."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        for right in rights():
            request = CreateAclsRequest(
                _TYPES[right.type],
                right.name,
                _PATTERNS[right.pattern],
                f"User:{right.user}",
                "*",
                _OPERATIONS[right.operation],
                _ALLOW,
            )
            # aiokafka has the request and no public call that sends it.
            answer = await admin._send_to_controller(request)
            for code, message in answer.creation_responses:
                assert code == 0, f"{right}: {message}"
    finally:
        await admin.close()


def uses(log: Path) -> set[Use]:
    """Return what the broker's authorizer was asked about users with a name."""
    found = (_USE.search(line) for line in log.read_text().splitlines())
    return {
        Use(one["user"], one["type"].lower(), one["name"], one["operation"], one["verdict"] == "Allowed")
        for one in found
        if one is not None and one["user"] != "ANONYMOUS"
    }
