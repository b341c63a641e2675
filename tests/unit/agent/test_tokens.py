"""Who the machine is by its token: from a file, and from metadata services that behave like Google's and Azure's."""

import base64
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from schemas.events import AddressType
from services.agent.identity.azure import AzureSource
from services.agent.identity.gcp import GcpSource
from services.agent.identity.source import IdentityError, NotYet, Wallet
from services.agent.identity.tokens import TokenFile
from services.agent.settings import AzureSettings, GcpSettings, JwtSettings
from services.identity.core.jws import Shown
from services.identity.core.tokens import verify_jwt
from services.identity.issuing import Mint
from tests.support.metadata import MetadataServer
from tests.support.notary import SESSION

GCE = {
    "project_id": "shop-prod",
    "zone": "europe-west1-b",
    "instance_id": "8087716956832600000",
    "instance_name": "web",
}
VM = "/subscriptions/5F1B/resourcegroups/Shop/providers/Microsoft.Compute/virtualMachines/Web-1"
HUGE = "a.e30." + "c" * 16 * 1024
NESTED = f"a.{base64.urlsafe_b64encode(b'[' * 11_000).decode()}.c"
USER = "/subscriptions/5F1B/resourcegroups/Shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web"


@pytest.fixture(scope="module")
def mint(tmp_path_factory: pytest.TempPathFactory) -> Mint:
    return Mint(tmp_path_factory.mktemp("mint"))


async def test_a_token_file_gives_issuer_and_subject_and_is_read_again_when_it_is_shown(
    tmp_path: Path, mint: Mint
) -> None:
    file = tmp_path / "token"
    file.write_text(mint.token("vm-7") + "\n")
    source = TokenFile(JwtSettings(file=file, issuer="corp"))
    machine = await source.obtain()
    assert machine.identity.name == "jwt-corp--vm-7"
    wallet = Wallet(source, machine)
    fresh = mint.token("vm-7", {"jti": "2"})
    file.write_text(fresh)
    shown = await wallet.credential(SESSION)
    assert shown is not None
    assert shown.jwt is not None
    assert (shown.jwt.issuer, shown.jwt.token) == ("corp", fresh)


@pytest.mark.parametrize("content", [None, "", "\n"])
async def test_a_token_file_that_is_not_there_yet_is_waited_for(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(NotYet, match="token"):
        await TokenFile(JwtSettings(file=file, issuer="corp")).renew(SESSION)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no token", "1 parts between dots"),
        ("a.b.c", "no JSON in base64"),
        ("a.WzFd.c", "no JSON object"),
        ("a.e30.c", "jwt.subject"),
        ("é.é.é", "cannot be read"),
        (HUGE, "the token has 16390 characters; an event has room for 16384"),
        (NESTED, "its claims are nested too deep"),
        (f"a.{base64.urlsafe_b64encode(b'9' * 5000).decode()}.c", "no JSON in base64"),
    ],
)
async def test_a_file_that_holds_no_token_is_an_error_that_names_it(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(IdentityError, match=words) as caught:
        await TokenFile(JwtSettings(file=tmp_path / "token", issuer="corp")).obtain()
    assert str(tmp_path / "token") in str(caught.value)


async def test_google_s_metadata_server_gives_a_token_for_our_audience_and_the_address(mint: Mint) -> None:
    def token(audience: str) -> str:
        return mint.token("1", {"google": {"compute_engine": GCE}}, audience)

    async with MetadataServer(token) as server:
        server.failures = [503]
        source = GcpSource(GcpSettings(endpoint=server.endpoint), "muster/eu & co", wait_none())
        machine = await source.obtain()
    assert machine.identity.name == "gcp-shop-prod-europe-west1-b-8087716956832600000"
    assert [(address.ip, address.type) for address in machine.addresses] == [("10.128.0.2", AddressType.VPC)]
    assert machine.credential is not None
    assert machine.credential.gcp is not None
    _audience_is(mint, machine.credential.gcp.token, "muster/eu & co")


async def test_google_is_asked_for_a_token_of_the_very_session_and_of_the_next_one_anew(mint: Mint) -> None:
    async with MetadataServer(lambda a: mint.token("1", {"google": {"compute_engine": GCE}}, a)) as server:
        wallet = Wallet(source := GcpSource(GcpSettings(endpoint=server.endpoint), "muster"), await source.obtain())
        for session in (SESSION, "00000000-0000-4000-8000-000000000002"):
            shown = await wallet.credential(session)
            assert shown is not None
            assert shown.gcp is not None
            _audience_is(mint, shown.gcp.token, f"muster/session/{session}")


async def test_azure_s_metadata_service_gives_a_token_for_our_audience_and_the_addresses(mint: Mint) -> None:
    address = {"privateIpAddress": "10.0.0.4", "publicIpAddress": "20.1.2.3"}
    async with MetadataServer(lambda audience: mint.token("1", {"tid": "t1", "xms_mirid": VM}, audience), address) as s:
        s.failures = [429]
        machine = await AzureSource(AzureSettings(endpoint=s.endpoint), "api://muster", wait_none()).obtain()
    assert machine.identity.name == "azure-5f1b-shop---web-1"
    assert [(address.ip, address.type.value) for address in machine.addresses] == [
        ("10.0.0.4", "VPC"),
        ("20.1.2.3", "INTERNET"),
    ]
    assert machine.credential is not None
    assert machine.credential.azure is not None
    _audience_is(mint, machine.credential.azure.token, "api://muster")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"tid": "t1", "xms_mirid": USER}, "not of a virtual machine: turn on its system-assigned identity"),
        ({"tid": "t1"}, "not of a virtual machine"),
        ({"xms_mirid": VM}, "azure.tenant"),
    ],
)
async def test_an_azure_token_that_is_not_of_a_machine_is_an_error(
    mint: Mint, said: dict[str, Any], words: str
) -> None:
    async with MetadataServer(lambda audience: mint.token("1", said, audience)) as server:
        with pytest.raises(IdentityError, match=words):
            await AzureSource(AzureSettings(endpoint=server.endpoint), "muster").obtain()


@pytest.mark.parametrize("said", [{}, {"google": 1}, {"google": {"compute_engine": {"zone": "z"}}}])
async def test_a_google_token_that_says_nothing_of_an_instance_is_an_error(mint: Mint, said: dict[str, Any]) -> None:
    async with MetadataServer(lambda audience: mint.token("1", said, audience)) as server:
        with pytest.raises(IdentityError, match="the token"):
            await GcpSource(GcpSettings(endpoint=server.endpoint), "muster").obtain()


HUGE = "a.e30." + "c" * 16 * 1024
NESTED = f"a.{base64.urlsafe_b64encode(b'[' * 11_000).decode()}.c"


@pytest.mark.parametrize(
    ("token", "words"), [(HUGE, "room for 16384"), (NESTED, "nested too deep"), ("", "0 parts|1 pa")]
)
async def test_a_token_that_no_event_takes_is_told_and_the_agent_goes_on(token: str, words: str, mint: Mint) -> None:
    """The last credential that was good is shown again; nothing else than these errors may leave a source."""
    machines = {"google": {"compute_engine": GCE}, "tid": "t1", "xms_mirid": VM}
    async with MetadataServer(lambda audience: mint.token("1", machines, audience)) as server:
        google = GcpSource(GcpSettings(endpoint=server.endpoint), "muster")
        azure = AzureSource(AzureSettings(endpoint=server.endpoint), "muster")
        for source in (google, azure):
            server.token = lambda audience: mint.token("1", machines, audience)
            machine = await source.obtain()
            server.token = lambda _audience: token
            with pytest.raises(IdentityError, match=words):
                await source.renew(SESSION)
            assert await Wallet(source, machine).credential(SESSION) == machine.credential


async def test_an_address_that_is_none_is_an_error_that_says_so(mint: Mint) -> None:
    said = {"tid": "t1", "xms_mirid": VM}
    async with MetadataServer(
        lambda audience: mint.token("1", said, audience), {"privateIpAddress": "x" * 50}
    ) as server:
        with pytest.raises(IdentityError, match="xxx' is no address"):
            await AzureSource(AzureSettings(endpoint=server.endpoint), "muster").renew(SESSION)


def _audience_is(mint: Mint, token: str, audience: str) -> None:
    """The token is one that a Muster of this audience takes."""
    from datetime import UTC, datetime

    identity, method, _ = verify_jwt(mint.bundle(audience=audience), "mint", token, Shown(datetime.now(UTC), SESSION))
    assert (identity.name, method) == ("jwt-mint--1", "jwt")
