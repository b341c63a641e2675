"""What the processor relies on of STS, against a server that behaves like it; the network is the loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from schemas.credentials import StsRequest
from services.identity.core.caller import Caller, NoRoleError, request
from services.identity.sts import ATTEMPTS, Sts, UnreachableError
from tests.support.notary import NOW, SESSION
from tests.support.sts import KEYS, REGION, StsServer, role_arn

INSTANCE = "i-1234567890abcdef0"
SHOWN = request(KEYS, REGION, "muster", SESSION, NOW)


@pytest.fixture
async def server() -> AsyncIterator[StsServer]:
    async with StsServer(NOW) as server:
        server.knows(KEYS, role_arn(INSTANCE))
        yield server


@pytest.fixture
async def sts(server: StsServer) -> Sts:
    return Sts(lambda: ("muster",), server.endpoint, longest_wait_s=0)


async def test_a_machine_in_its_role_is_known_by_role_account_and_instance(sts: Sts, server: StsServer) -> None:
    assert await sts.check(SHOWN, SESSION) == Caller("aws", "123456789012", "ratings", INSTANCE)
    assert server.asked == ["sts.us-east-2.amazonaws.com"]


async def test_a_request_signed_for_another_audience_is_refused_however_it_is_relabelled(sts: Sts) -> None:
    """The audience is part of what is signed: with the other's the request is not sent, with ours it is not valid."""
    other = request(KEYS, REGION, "vault", SESSION, NOW)
    with pytest.raises(NoRoleError, match="is for 'vault'; expected muster"):
        await sts.check(other, SESSION)
    with pytest.raises(NoRoleError, match="SignatureDoesNotMatch"):
        await sts.check(other.model_copy(update={"headers": SHOWN.headers}), SESSION)


async def test_a_request_of_another_session_is_refused_however_it_is_relabelled(sts: Sts, server: StsServer) -> None:
    """Who reads a request in the log cannot show it in a session of its own: the session is part of what is signed."""
    thiefs = "00000000-0000-4000-8000-00000000000f"
    with pytest.raises(NoRoleError, match=f"is of the session '{SESSION}', and was shown in {thiefs}"):
        await sts.check(SHOWN, thiefs)
    assert server.asked == []
    relabelled = SHOWN.model_copy(update={"headers": SHOWN.headers | {"x-muster-session": thiefs}})
    with pytest.raises(NoRoleError, match="SignatureDoesNotMatch"):
        await sts.check(relabelled, thiefs)


@pytest.mark.parametrize("after_s", [301, 86_400])
async def test_a_request_that_is_replayed_late_is_refused(after_s: int, sts: Sts, server: StsServer) -> None:
    server.now = NOW + timedelta(seconds=after_s)
    with pytest.raises(NoRoleError, match="403: ExpiredToken"):
        await sts.check(SHOWN, SESSION)


async def test_a_request_of_keys_that_nobody_has_is_refused(sts: Sts) -> None:
    stranger = request(KEYS._replace(access_key="AKIDSTRANGER"), REGION, "muster", SESSION, NOW)
    with pytest.raises(NoRoleError, match="403: InvalidClientTokenId"):
        await sts.check(stranger, SESSION)


async def test_a_signature_with_another_key_is_refused(sts: Sts) -> None:
    forged = request(KEYS._replace(secret="guess"), REGION, "muster", SESSION, NOW)  # noqa: S106 - no secret
    with pytest.raises(NoRoleError, match="SignatureDoesNotMatch"):
        await sts.check(forged, SESSION)


async def test_a_request_that_is_not_for_sts_is_not_sent(sts: Sts, server: StsServer) -> None:
    with pytest.raises(NoRoleError, match="not for STS"):
        await sts.check(StsRequest(url=f"{server.endpoint}/?Action=GetCallerIdentity"), SESSION)
    assert server.asked == []


async def test_a_passing_fault_is_asked_again(sts: Sts, server: StsServer) -> None:
    server.failures = [503] * (ATTEMPTS - 1)
    assert (await sts.check(SHOWN, SESSION)).role == "ratings"


async def test_a_lasting_fault_is_told_as_one_that_says_nothing_of_the_machine(sts: Sts, server: StsServer) -> None:
    server.failures = [503] * ATTEMPTS
    with pytest.raises(UnreachableError, match="answers 503"):
        await sts.check(SHOWN, SESSION)


async def test_an_sts_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(UnreachableError, match=r"STS at http://127.0.0.1:9 does not answer"):
        await Sts(lambda: ("muster",), "http://127.0.0.1:9", longest_wait_s=0).check(SHOWN, SESSION)


async def test_a_redirection_is_not_followed(sts: Sts, server: StsServer) -> None:
    server.failures = [302]
    with pytest.raises(NoRoleError, match="302"):
        await sts.check(SHOWN, SESSION)


@pytest.mark.parametrize("says", ["", "<html>", "{}", " " * 20_000])
async def test_an_answer_that_is_none_proves_no_role(says: str, sts: Sts, server: StsServer) -> None:
    server.says = says
    with pytest.raises(NoRoleError):
        await sts.check(SHOWN, SESSION)
