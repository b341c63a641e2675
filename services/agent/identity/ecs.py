"""Identity of an ECS task: which it is from its metadata endpoint, and what proves it from a token in a file.

AWS signs nothing for a task: the token is of an issuer that the trust bundle knows as of kind ``ecs``. Source of the
rest: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
"""

import re

from pydantic import BaseModel, Field, ValidationError
from tenacity.wait import wait_base

from schemas.credentials import Credential, JwtCredential
from schemas.events import AddressType
from services.agent.identity.metadata import BACKOFF, Metadata, awaited
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.identity.tokens import addresses, claimed, claims, token_in
from services.agent.settings import EcsSettings

TASK = "/task"
_ARN = re.compile(r"arn:([a-z-]+):ecs:([a-z0-9-]+):([0-9]{12}):task/(?:[^/]+/)?([^/]+)")


class _Network(BaseModel):
    ipv4: tuple[str, ...] = Field(alias="IPv4Addresses", default=())


class _Container(BaseModel):
    networks: tuple[_Network, ...] = Field(alias="Networks", default=())


class _Task(BaseModel):
    """What we read of a task's metadata."""

    arn: str = Field(alias="TaskARN")
    cluster: str = Field(alias="Cluster")
    """Its name, or its ARN, which ends with the name."""
    zone: str = Field(alias="AvailabilityZone")
    containers: tuple[_Container, ...] = Field(alias="Containers", default=())


class EcsSource:
    """Reads the task's metadata, and its token whenever it is to be shown."""

    def __init__(self, settings: EcsSettings, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return the task; waits with backoff, saying so, as long as the endpoint or the file is not there."""
        return await awaited(self._read, self._settings.endpoint, self._wait)

    async def renew(self, session: str) -> Machine:  # noqa: ARG002 - whoever issued the token knew of no session
        """Return the task, with the token that is there now."""
        return await self._read()

    async def _read(self) -> Machine:
        token = token_in(self._settings.file, "identity.ecs.file")
        claims(token, str(self._settings.file))  # that it is one; what it says of the task is the verifier's business
        async with Metadata(self._settings.endpoint, self._settings.timeout_seconds) as metadata:
            status, body = await metadata.ask("GET", TASK, {})
        if status != 200:  # noqa: PLR2004 - HTTP's number
            raise NotYet(f"GET {TASK} answers {status}")
        try:
            task = _Task.model_validate_json(body)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'task'}: {f['msg']}" for f in error.errors())
            raise IdentityError(f"{TASK}: the metadata of this task cannot be read: {faults}") from error
        arn = _ARN.fullmatch(task.arn)
        if arn is None:
            raise IdentityError(f"{TASK}: {task.arn[:200]!r} is no ARN of a task")
        partition, region, account, task_id = arn.groups()
        where = {"partition": partition, "account": account, "region": region, "zone": task.zone}
        ecs = {"cluster": task.cluster.rpartition("/")[2], "taskId": task_id}
        identity = claimed(TASK, aws={**where, "ecs": ecs})
        found = sorted({ip for one in task.containers for network in one.networks for ip in network.ipv4})
        credential = Credential(jwt=JwtCredential(issuer=self._settings.issuer, token=token))
        return Machine(identity, addresses(TASK, ((AddressType.VPC, ip) for ip in found)), credential=credential)
