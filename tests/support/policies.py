"""OnboardingPolicies for tests: one that lets in whoever the tests' mints sign for, and what proves a workload."""

from typing import Any

from schemas import policies
from schemas.credentials import Verified
from schemas.message import instant

ACCOUNT = "123456789012"
VERIFIED = Verified(method="ec2-rsa2048", key="us-east-2", bundle="sha256:" + "7" * 64, at=instant(1_763_856_000_000))


def policy(namespace: str, name: str = "machines", **spec: object) -> dict[str, Any]:
    """Return a policy that allows EC2 machines of the tests' account to join any group; ``spec`` replaces parts."""
    allow = [{"workloads": [{"aws": {"accounts": [ACCOUNT], "ec2": {}}}], "onboardTo": [{"workloadGroupSelector": {}}]}]
    return {
        "apiVersion": f"{policies.GROUP}/{policies.API_VERSION}",
        "kind": policies.KIND,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"allow": allow, **spec},
    }
