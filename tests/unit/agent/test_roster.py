"""What a session shows is asked for in its name: a credential of another session is of no use to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from schemas.credentials import Credential, TokenCredential
from schemas.events import AgentEvent, AgentSoftware, Connect, Heartbeat, Introduction, Registration
from schemas.identity import GcpIdentity, Identity
from schemas.registrations import Ended, EndReason
from services.agent.core.pacing import Pacing
from services.agent.roster import Roster
from tests.support.eventually import eventually

PACING = Pacing(
    heartbeat_ms=20,
    jitter=0.0,
    introduction_ms=40,
    retry_ms=40,
    patience_ms=60_000,
    backoff_ms=20,
    backoff_cap_ms=20,
    drain_ms=100,
)
WHO = Introduction(
    namespace="bookinfo",
    group="ratings",
    identity=Identity(gcp=GcpIdentity(project="shop", zone="europe-west1-b", instance_id="1")),
    registration=Registration(agent=AgentSoftware(version="v1")),
)


class Google:
    """Its tokens say for which session they were asked."""

    async def credential(self, session: str) -> Credential:
        return Credential(gcp=TokenCredential(token=session))


@pytest.fixture
async def sent() -> AsyncIterator[tuple[Roster, list[AgentEvent]]]:
    events: list[AgentEvent] = []
    roster = Roster(PACING, lambda _key, event: events.append(event), lambda _member, _output: None, lambda: False)
    roster.join(WHO, Google())
    running = asyncio.create_task(roster.run())
    yield roster, events
    running.cancel()


def _shown(events: list[AgentEvent]) -> list[tuple[str, str]]:
    """Return sessions, and for which of them what they show was asked for."""
    found = []
    for event in events:
        if isinstance(event, Connect | Heartbeat) and event.proof is not None:
            assert event.proof.credential.gcp is not None
            found.append((event.session, event.proof.credential.gcp.token))
    return found


async def test_every_introduction_shows_what_was_asked_for_in_its_own_session(
    sent: tuple[Roster, list[AgentEvent]],
) -> None:
    roster, events = sent

    async def introduced_again() -> bool:
        return len(_shown(events)) > 1

    await eventually(introduced_again, "a heartbeat that introduces the session again")
    first = events[0].session
    roster.answered(WHO.key.to_bytes(), Ended(session=first, uid="1", reason=EndReason.DELETED, message="by kubectl"))

    async def begun_anew() -> bool:
        return len({event.session for event in events}) > 1

    await eventually(begun_anew, "a session after the one that ended")
    told = _shown(events)
    assert len({session for session, _of in told}) > 1
    assert all(session == of for session, of in told)
