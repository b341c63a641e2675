"""Asking STS which roles machines have: outside the fold, which only takes note of what was answered (ADR 0010)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import structlog
from aiokafka.errors import KafkaError

from schemas.credentials import StsRequest
from schemas.events import RoleChecked
from schemas.names import CONTROL_KEY, parse_key
from schemas.topics import EVENTS
from services.identity.core.caller import Caller, NoRoleError, belongs
from services.identity.signing import Signer
from services.identity.sts import StsChecker, UnreachableError
from services.processor import metrics
from services.processor.core.record import CheckRole

AT_ONCE = 16
"""Requests under way; more wait."""
WAITING = 10_000
"""Requests that may wait; beyond that they are passed over, and asked again with the next introduction."""
_MOST_WORDS = 500


def ends(request: StsRequest) -> datetime | None:
    """Return until when STS takes a pre-signed request; None where it does not say."""
    try:
        query = dict(parse_qsl(urlsplit(request.url).query))
        begins = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return begins + timedelta(seconds=int(query["X-Amz-Expires"]))
    except (KeyError, ValueError, OverflowError):
        return None


class RoleChecks:
    """The questions of one worker, and their answers in the log, signed with the worker's key."""

    def __init__(
        self,
        checker: StsChecker,
        signer: Signer,
        append: Callable[[str, int, bytes, bytes], Awaitable[int]],
        owner: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``append(topic, partition, key, value)`` returns the offset, or raises KafkaError."""
        self._checker, self._signer, self._append, self._owner = checker, signer, append, owner
        self._clock = clock
        self._tasks: dict[tuple[bytes, str], asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def ask(self, partition: int, question: CheckRole) -> None:
        """Ask, unless the same is being asked already."""
        which = (question.key, question.session)
        if which in self._tasks or len(self._tasks) >= WAITING:
            return
        task = asyncio.create_task(self._answer(partition, question))
        self._tasks[which] = task
        task.add_done_callback(lambda _done: self._tasks.pop(which, None))

    async def close(self) -> None:
        """Ask nobody any more; what is not answered is asked again by whoever owns the partition next."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, partition: int, question: CheckRole) -> None:
        async with self._at_once:
            checked = await self._checked(question)
        signed = self._signer.signed(checked, partition)
        outcome = "confirmed" if checked.role is not None else "refused" if checked.answered else "unanswered"
        metrics.ROLE_CHECKS.labels(outcome).inc()
        try:
            await self._append(EVENTS, partition, CONTROL_KEY, signed.to_json())
        except KafkaError as cause:
            # The next introduction asks again.
            structlog.get_logger().warning(
                "what STS said of a role could not be written", workload=checked.workload, cause=repr(cause)
            )

    async def _checked(self, question: CheckRole) -> RoleChecked:
        """Return what is known of the role, not signed yet."""
        workload = parse_key(question.key)
        identity = workload.identity if workload is not None else ""
        account, role, words, answered = "", None, "", True
        try:
            caller = await self._caller(question)
            account = caller.account
            if belongs(caller, identity):
                role = caller.role
            else:
                known = f"{caller.role}/{caller.session} of {caller.account}"
                words = f"STS knows the sender as {known}, which is not this machine in its role"
        except (NoRoleError, UnreachableError) as cause:
            words, answered = str(cause), isinstance(cause, NoRoleError)
        return RoleChecked(
            workload=question.key.decode(),
            session=question.session,
            account=account,
            role=role,
            answered=answered,
            asked=question.asked,
            message=words[:_MOST_WORDS],
            owner=self._owner,
        )

    async def _caller(self, question: CheckRole) -> Caller:
        """Ask STS. Raises NoRoleError and UnreachableError."""
        until = ends(question.request)
        if until is not None and until <= self._clock():
            # STS would deny it now, whatever it would have said in time: that is no word about the machine.
            raise UnreachableError(f"the request was good until {until:%H:%M:%S} UTC, and nobody asked in time")
        return await self._checker.check(question.request, question.session)
