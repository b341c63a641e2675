"""How a topic stands beside its definition, and the words for it: values only, no broker."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from schemas.topics import TopicDefinition


class Outcome(StrEnum):
    """What became of one topic."""

    CREATED = "created"
    EXISTS = "exists"
    MISSING = "missing"
    DIFFERS = "differs"


class Difference(NamedTuple):
    """One thing about a topic that is not as Muster needs it, and the command of Kafka's that mends it."""

    setting: str
    expected: str
    found: str
    mend: str


class TopicResult(NamedTuple):
    """One topic, and how it stands."""

    name: str
    partitions: int
    outcome: Outcome
    differences: tuple[Difference, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether Muster can work with it."""
        return self.outcome in (Outcome.CREATED, Outcome.EXISTS)


class FoundTopic(NamedTuple):
    """A topic as the broker describes it."""

    partitions: int
    config: dict[str, str]


def explained(results: Sequence[TopicResult]) -> list[str]:
    """Return a line per missing topic and per difference."""
    lines = []
    for result in results:
        if result.outcome is Outcome.MISSING:
            lines.append(f"  {result.name}: missing; create it with: muster topics apply")
        lines += [
            f"  {result.name}: {one.setting} is {one.found}, expected {one.expected}; mend it with: {one.mend}"
            for one in result.differences
        ]
    return lines


def compare(wanted: TopicDefinition, found: FoundTopic | None, servers: str) -> TopicResult:
    """Compare one topic with its definition; ``servers`` is for the commands that mend it."""
    if found is None:
        return TopicResult(wanted.name, 0, Outcome.MISSING)
    differences = []
    if found.partitions != wanted.partitions:
        differences.append(
            Difference(
                "partitions",
                str(wanted.partitions),
                str(found.partitions),
                _repartition(wanted, found.partitions, servers),
            )
        )
    for setting, expected in wanted.config.items():
        actual = found.config.get(setting, "unset")
        if actual != expected:
            mend = (
                f"kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics "
                f"--entity-name {wanted.name} --add-config {setting}={expected}"
            )
            differences.append(Difference(setting, expected, actual, mend))
    outcome = Outcome.DIFFERS if differences else Outcome.EXISTS
    return TopicResult(wanted.name, found.partitions, outcome, tuple(differences))


def _repartition(wanted: TopicDefinition, found: int, servers: str) -> str:
    """Keys would move between partitions if one that has records grew: only an empty topic may be altered."""
    topic = f"kafka-topics.sh --bootstrap-server {servers} --topic {wanted.name}"
    if found < wanted.partitions:
        return (
            f"{topic} --alter --partitions {wanted.partitions} (only while it is empty), or --partitions {found} here"
        )
    return f"--partitions {found} here, or for an unused topic: {topic} --delete, then muster topics apply"
