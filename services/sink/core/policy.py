"""Whether the policies of a namespace allow a workload to join a group: a pure function, default deny (ADR 0011).

A refusal names the policy that came closest, of that one the first clause that failed, and what was expected and
received: an operator can mend the one or the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

from pydantic import ValidationError

from schemas.identity import Identity
from schemas.policies import Enforcement, PolicySpec
from services.sink.core import clauses
from services.sink.core.clauses import Check
from services.sink.core.objects import Manifest


class Policy(NamedTuple):
    """An OnboardingPolicy of the namespace."""

    name: str
    spec: PolicySpec
    fault: str = ""
    """The first field that is not understood, and why: then it allows nobody, as if it said nothing."""

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the value of a manifest."""
        name = manifest["metadata"]["name"]
        try:
            return cls(name, PolicySpec.model_validate(manifest.get("spec") or {}))
        except ValidationError as error:
            return cls(name, PolicySpec(), _fault(error))


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return f"spec{place}: {'a field that is not known' if first['type'] == 'extra_forbidden' else first['msg']}"


class Allowed(NamedTuple):
    """The workload may join."""

    policy: str


class Denied(NamedTuple):
    """It may not: no policy at all where ``policy`` is empty, else the closest one's first clause that failed."""

    policy: str
    clause: str
    expected: str
    received: str
    unread: str = ""
    """Which policies were not understood, in words."""

    @property
    def message(self) -> str:
        """The same in words."""
        if not self.policy:
            return self.unread or "no OnboardingPolicy in the namespace allows anybody: create one"
        said = f"{self.clause}: expected {self.expected}, received {self.received}"
        closest = f"OnboardingPolicy {self.policy} came closest: {said}"
        return f"{closest}; {self.unread}" if self.unread else closest


_Attempt = tuple[str, Sequence[Check]]
"""A policy's name, and what was checked of one of its rules: what does not hold is how far it is from allowing."""


def decide(identity: Identity, labels: Mapping[str, str], policies: Sequence[Policy], group: str) -> Allowed | Denied:
    """Say whether a verified identity may join the group with this name and these labels."""
    attempts = sorted(_attempts(identity, labels, policies, group), key=_distance)
    if not attempts:
        return Denied("", "", "", "", _unread(policies))
    name, checks = attempts[0]
    failed = next((check for check in checks if not check.holds), None)
    if failed is None:
        return Allowed(name)
    return Denied(name, failed.clause, failed.expected, failed.received, _unread(policies))


def continuous(policies: Sequence[Policy]) -> bool:
    """Tell whether those who have joined a namespace are held to its policies as well."""
    return any(policy.spec.enforcement is Enforcement.CONTINUOUS for policy in policies)


def _unread(policies: Sequence[Policy]) -> str:
    """Say which policies are not understood: the first by name, and how many more."""
    puzzles = sorted((policy.name, policy.fault) for policy in policies if policy.fault)
    if not puzzles:
        return ""
    name, fault = puzzles[0]
    more = f" (and {len(puzzles) - 1} more)" if puzzles[1:] else ""
    return f"OnboardingPolicy {name}{more} is not understood and allows nobody ({fault})"


def _distance(attempt: _Attempt) -> int:
    _, checks = attempt
    return sum(check.weight for check in checks if not check.holds)


def _attempts(
    identity: Identity, labels: Mapping[str, str], policies: Sequence[Policy], group: str
) -> Iterator[_Attempt]:
    """Yield every rule of every policy, in an order that does not depend on that of ``policies``."""
    for policy in sorted(policies, key=lambda policy: policy.name):
        for number, rule in enumerate(policy.spec.allow):
            place = f"spec.allow[{number}]"
            target = clauses.onboard_to(f"{place}.onboardTo", rule.onboard_to, labels, group)
            for which, clause in enumerate(rule.workloads):
                yield policy.name, (*clauses.workload(f"{place}.workloads[{which}]", clause, identity), target)
