"""What every message has in common: camelCase on the wire, unknown fields ignored, values frozen.

Ignoring unknown fields is what makes adding an optional field a compatible change (DESIGN.md, "Topics").
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

VERSION = 1
"""The schema version this code reads and writes."""

UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Session = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
"""One connection of one agent process: a lower-case UUID minted by that process."""

Seq = Annotated[int, Field(ge=0, lt=2**63)]
"""Position of an event within its session, from 0, strictly increasing."""

Offset = Annotated[int, Field(ge=0, lt=2**63)]
"""Position of a record within its Kafka partition."""

Partition = Annotated[int, Field(ge=0, lt=2**31)]
"""Number of a Kafka partition of ``muster.events``, equal to that of ``muster.workloads``."""


class Message(BaseModel):
    """Base of all wire models."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def to_json(self) -> bytes:
        """Return the wire form: compact UTF-8 JSON without absent fields."""
        return self.model_dump_json(exclude_none=True).encode()


def complaint(fault: ErrorDetails) -> str:
    """Return what pydantic has to say of a field, without what it puts before our own words."""
    return fault["msg"].removeprefix("Value error, ")


def instant(millis: int) -> AwareDatetime:
    """Return a broker timestamp (milliseconds since the epoch) as an aware UTC datetime."""
    seconds, rest = divmod(millis, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def rfc3339(moment: datetime) -> str:
    """Return ``2021-10-09T10:56:41.380Z``: UTC, milliseconds, as conditions and tables print it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
