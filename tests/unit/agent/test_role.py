"""The claim of an IAM role: from the metadata service's keys to what STS says of it."""

import json

import pytest
import structlog

from services.agent.identity.imds import Ec2Source
from services.agent.identity.role import PLACE
from services.agent.identity.source import NotYet
from services.agent.settings import Ec2Settings, IdentitySettings
from services.identity.core.caller import Caller
from services.identity.sts import Sts
from tests.support.imds import ImdsServer
from tests.support.notary import SESSION
from tests.support.sts import KEYS, StsServer, role_arn

TOLD = {
    "Code": "Success",
    "AccessKeyId": KEYS.access_key,
    "SecretAccessKey": KEYS.secret,
    "Token": KEYS.token,
    "Expiration": "2026-11-23T18:00:00Z",
}


def _in_its_role(server: ImdsServer, **changed: object) -> Ec2Settings:
    server.content[PLACE] = b"ratings"
    server.content[f"{PLACE}ratings"] = json.dumps(TOLD | changed).encode()
    return Ec2Settings(endpoint=server.endpoint, iam_role=True)


async def test_sts_confirms_the_role_and_the_machine_of_a_claim() -> None:
    async with ImdsServer() as imds, StsServer() as sts:
        sts.knows(KEYS, role_arn("i-1234567890abcdef0"))
        machine = await Ec2Source(_in_its_role(imds), audience="roll").renew(SESSION)
        assert machine.credential is not None
        shown = machine.credential.iam_role
        assert shown is not None
        found = await Sts(lambda: ("roll",), sts.endpoint).check(shown, SESSION)
    assert found == Caller("aws", "123456789012", "ratings", "i-1234567890abcdef0")


async def test_a_claim_holds_neither_the_secret_nor_more_than_sts_needs() -> None:
    async with ImdsServer() as imds:
        machine = await Ec2Source(_in_its_role(imds)).renew(SESSION)
    assert machine.credential is not None
    assert KEYS.secret not in machine.credential.to_json().decode()
    assert KEYS.secret not in repr(machine)


async def test_a_role_is_not_shown_unless_it_is_asked_for() -> None:
    async with ImdsServer() as imds:
        settings = _in_its_role(imds).model_copy(update={"iam_role": False})
        machine = await Ec2Source(settings).renew(SESSION)
    assert machine.credential is not None
    assert machine.credential.iam_role is None
    assert IdentitySettings.model_validate({"ec2": {}}).ec2 == Ec2Settings(iam_role=False)


@pytest.mark.parametrize("names", [None, b"", b"\n"])
async def test_a_machine_without_a_role_proves_who_it_is_all_the_same_and_says_so(names: bytes | None) -> None:
    async with ImdsServer() as imds:
        settings = _in_its_role(imds)
        if names is None:
            del imds.content[PLACE]
        else:
            imds.content[PLACE] = names
        with structlog.testing.capture_logs() as told:
            machine = await Ec2Source(settings).renew(SESSION)
    assert machine.credential is not None
    assert machine.credential.iam_role is None
    assert "this instance has no IAM role" in told[0]["event"]


async def test_a_session_token_too_long_for_a_request_is_no_reason_not_to_join() -> None:
    async with ImdsServer() as imds:
        settings = _in_its_role(imds, Token="a" * 5000)
        with structlog.testing.capture_logs() as told:
            machine = await Ec2Source(settings).renew(SESSION)
    assert machine.credential is not None
    assert machine.credential.iam_role is None
    assert "too long" in told[0]["event"]


async def test_keys_that_are_not_there_yet_are_waited_for_and_never_shown() -> None:
    async with ImdsServer() as imds:
        settings = _in_its_role(imds, AccessKeyId=None)
        with pytest.raises(NotYet, match="has no keys: AccessKeyId") as caught:
            await Ec2Source(settings).renew(SESSION)
        assert KEYS.secret not in str(caught.value)
        del imds.content[f"{PLACE}ratings"]
        with pytest.raises(NotYet, match="not there"):
            await Ec2Source(settings).renew(SESSION)
