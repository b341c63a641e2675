"""Which ECS task this is, from a metadata endpoint that behaves like ECS's, and what proves it, from a file."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tenacity import wait_none

from services.agent.identity.ecs import EcsSource
from services.agent.identity.source import IdentityError, NotYet, Wallet
from services.agent.settings import EcsSettings
from services.identity.core.bundle import IssuerKind
from services.identity.core.verdict import Accepted
from services.identity.core.verifier import verify
from services.identity.issuing import Mint
from tests.support.notary import SESSION

NAME = "aws-aws-123456789012-us-east-2b-ecs-web-158d1c8083dd49d6b527399fd6414f5c"
TOLD = {
    "Cluster": "web",
    "TaskARN": "arn:aws:ecs:us-east-2:123456789012:task/web/158d1c8083dd49d6b527399fd6414f5c",
    "AvailabilityZone": "us-east-2b",
    "Family": "ratings",
    "Containers": [
        {"Name": "ratings", "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
        {"Name": "agent", "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
        {"Name": "log", "Networks": [{"NetworkMode": "host"}]},
    ],
}
CLAIMS = {
    "ecs": {
        "partition": "aws",
        "account": "123456789012",
        "region": "us-east-2",
        "zone": "us-east-2b",
        "cluster": "web",
        "task_id": "158d1c8083dd49d6b527399fd6414f5c",
        "role": "ratings",
    }
}


class Ecs:
    """The endpoint on a free port of the loopback; what it says can be changed."""

    def __init__(self) -> None:
        self.says: Any = dict(TOLD)
        self.statuses: list[int] = []
        self.endpoint = ""

    async def answer(self, _request: web.Request) -> web.Response:
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        return web.Response(text=self.says) if isinstance(self.says, str) else web.json_response(self.says)


@pytest.fixture
async def ecs() -> AsyncIterator[Ecs]:
    served, app = Ecs(), web.Application()
    app.router.add_get("/v4/0/task", served.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/v4/0"
    yield served
    await runner.cleanup()


@pytest.fixture(scope="module")
def mint(tmp_path_factory: pytest.TempPathFactory) -> Mint:
    return Mint(tmp_path_factory.mktemp("mint"))


@pytest.fixture
def source(ecs: Ecs, mint: Mint, tmp_path: Path) -> EcsSource:
    (tmp_path / "token").write_text(mint.token("task", CLAIMS) + "\n")
    return EcsSource(EcsSettings(file=tmp_path / "token", issuer="mint", endpoint=ecs.endpoint), wait_none())


async def test_a_task_is_who_its_metadata_says_and_proves_it_with_its_token(
    source: EcsSource, ecs: Ecs, mint: Mint
) -> None:
    ecs.statuses = [500]
    machine = await source.obtain()
    assert machine.identity.name == NAME
    assert [(one.ip, one.type.value) for one in machine.addresses] == [("10.0.2.106", "VPC")]
    assert machine.credential is not None
    trusted = mint.bundle()
    issuer = trusted.issuers[0].model_copy(update={"kind": IssuerKind.ECS})
    bundle = trusted.model_copy(update={"issuers": (issuer,)})
    found = verify(bundle, machine.credential, machine.identity, datetime.now(UTC), SESSION)
    assert isinstance(found, Accepted), found
    assert found.identity.aws is not None
    assert found.identity.aws.ecs is not None
    assert found.identity.aws.ecs.iam_role == "ratings"


@pytest.mark.parametrize(
    "changed",
    [
        {"Cluster": "arn:aws:ecs:us-east-2:123456789012:cluster/web"},
        {"TaskARN": "arn:aws:ecs:us-east-2:123456789012:task/158d1c8083dd49d6b527399fd6414f5c"},
        {"Containers": []},
    ],
)
async def test_clusters_and_tasks_are_named_in_more_than_one_form(
    changed: dict[str, Any], source: EcsSource, ecs: Ecs
) -> None:
    ecs.says = TOLD | changed
    assert (await source.renew(SESSION)).identity.name == NAME


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("<html>", "the metadata of this task cannot be read: task: Invalid JSON"),
        ("[" * 100_000, "the metadata of this task cannot be read: task: Invalid JSON"),
        ({}, "TaskARN: Field required"),
        (TOLD | {"TaskARN": "arn:aws:ec2:x"}, "'arn:aws:ec2:x' is no ARN of a task"),
        (TOLD | {"Cluster": ""}, "aws.ecs.cluster: String should have at least 1"),
        (TOLD | {"Containers": [{"Networks": [{"IPv4Addresses": ["x" * 60]}]}]}, "is no address"),
    ],
)
async def test_metadata_that_names_no_task_is_an_error(says: object, words: str, source: EcsSource, ecs: Ecs) -> None:
    ecs.says = says
    with pytest.raises(IdentityError, match=words):
        await source.obtain()


async def test_a_token_that_is_not_there_yet_is_waited_for_and_one_that_is_none_is_told(
    source: EcsSource, tmp_path: Path
) -> None:
    machine = await source.obtain()
    (tmp_path / "token").write_text("no token")
    with pytest.raises(IdentityError, match="1 parts between dots"):
        await source.renew(SESSION)
    (tmp_path / "token").unlink()
    with pytest.raises(NotYet, match=r"identity\.ecs\.file"):
        await source.renew(SESSION)
    assert await Wallet(source, machine).credential(SESSION) == machine.credential
