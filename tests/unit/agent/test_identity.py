"""Who the machine is: from a file, and from a metadata service that behaves like EC2's."""

import json
from pathlib import Path

import pytest
from tenacity import wait_none

from schemas.credentials import Ec2Credential
from schemas.events import Address, AddressType
from services.agent.identity.file import FileSource
from services.agent.identity.imds import DOCUMENT as DOCUMENT_PATH
from services.agent.identity.imds import Ec2Source, Imds
from services.agent.identity.source import IdentityError, Wallet
from services.agent.settings import Ec2Settings
from tests.support.imds import DOCUMENT, ImdsServer
from tests.support.notary import SESSION

NAME = "aws-aws-123456789012-us-east-2b-ec2-i-1234567890abcdef0"
FILE = """
identity:
  aws: {partition: aws, account: "123456789012", region: us-east-2, zone: us-east-2b,
        ec2: {instanceId: i-1234567890abcdef0}}
registration:
  host: {addresses: [{ip: 172.31.5.254, type: VPC}]}
  settings: {connectedOver: INTERNET}
  sidecar: {istio: {version: 1.9.8-15bc6e5e32}}
  workload: {labels: {version: v5}}
"""


def written(folder: Path, text: str) -> FileSource:
    path = folder / "identity.yaml"
    path.write_text(text)
    return FileSource(path)


async def test_a_file_gives_the_identity_and_what_it_says_of_the_machine(tmp_path: Path) -> None:
    machine = await written(tmp_path, FILE).obtain()
    assert machine.identity.name == NAME
    assert machine.addresses == (Address(ip="172.31.5.254", type=AddressType.VPC),)
    assert machine.connected_over is AddressType.INTERNET
    assert (machine.labels, machine.istio_version) == ({"version": "v5"}, "1.9.8-15bc6e5e32")


async def test_a_file_may_be_json(tmp_path: Path) -> None:
    content = {"identity": {"jwt": {"issuer": "corp", "subject": "vm-7"}}}
    machine = await written(tmp_path, json.dumps(content)).obtain()
    assert machine.identity.name == "jwt-corp--vm-7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FILE.replace("123456789012", "12"), "identity.aws.account: String should match pattern"),
        (FILE.replace("instanceId", "instance"), "identity.aws.ec2.instanceId: Field required"),
        (FILE.replace("labels: {version", "label: {version"), "registration.workload.label"),
        (FILE + "extra: 1\n", "no such field: extra"),
        ("identity: {}", "give exactly one of aws, jwt, gcp and azure"),
        ("identity: [", "neither YAML nor JSON"),
        ("[" * 100_000, "neither YAML nor JSON"),
        ("identity: 2026-99-99", "neither YAML nor JSON"),
        ("just words", "expected `identity:`"),
    ],
)
async def test_a_bad_file_is_an_error_that_names_the_file_and_the_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(IdentityError) as caught:
        await written(tmp_path, text).obtain()
    assert words in str(caught.value)
    assert "identity.yaml" in str(caught.value)


async def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"nowhere\.yaml: cannot be read: No such file"):
        await FileSource(tmp_path / "nowhere.yaml").obtain()


async def test_ec2_gives_the_identity_of_its_document_and_both_addresses() -> None:
    async with ImdsServer() as server:
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()
    assert machine.identity.name == NAME
    assert [(address.ip, address.type.value) for address in machine.addresses] == [
        ("172.31.5.254", "VPC"),
        ("3.15.20.7", "INTERNET"),
    ]


async def test_a_machine_without_a_public_address_has_one_address() -> None:
    async with ImdsServer() as server:
        del server.content["/latest/meta-data/public-ipv4"]
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()
    assert [address.type for address in machine.addresses] == [AddressType.VPC]


async def test_the_document_is_carried_byte_for_byte_with_its_signatures() -> None:
    """A verifier needs the exact bytes: parsing and printing them again would break the signature."""
    async with ImdsServer() as server:
        del server.content["/latest/dynamic/instance-identity/pkcs7"]
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()
        assert machine.credential is not None
        assert machine.credential.ec2 == Ec2Credential(
            document=server.content[DOCUMENT_PATH].decode(), rsa2048="MIAGCSqGSIb3DQEHAqCA", signature="c2lnbmF0dXJl"
        )


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
async def test_the_partition_follows_from_the_region_where_the_service_does_not_say_it(
    region: str, partition: str
) -> None:
    async with ImdsServer() as server:
        del server.content["/latest/meta-data/services/partition"]
        server.content[DOCUMENT_PATH] = json.dumps(DOCUMENT | {"region": region}).encode()
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()
    assert machine.identity.aws is not None
    assert machine.identity.aws.partition == partition


async def test_a_token_that_ran_out_is_renewed() -> None:
    now = 0.0
    async with (
        ImdsServer(clock=lambda: now) as server,
        Imds(Ec2Settings(endpoint=server.endpoint)) as imds,
    ):
        assert await imds.get("/latest/meta-data/local-ipv4") == b"172.31.5.254"
        now = 21_601.0
        assert await imds.get("/latest/meta-data/local-ipv4") == b"172.31.5.254"
        server.forget_tokens()
        assert await imds.get("/latest/meta-data/local-ipv4") == b"172.31.5.254"
        assert server.tokens_given == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
async def test_a_service_that_comes_late_or_is_turned_off_is_waited_for(status: int) -> None:
    async with ImdsServer() as server:
        server.failures = [status] * 5
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint), wait_none()).obtain()
    assert machine.identity.name == NAME


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<html>", "Invalid JSON"),
        (json.dumps({"region": "us-east-2"}).encode(), "accountId: Field required"),
        (json.dumps(DOCUMENT | {"instanceId": "vm-1"}).encode(), "instance_id|instanceId"),
    ],
)
async def test_a_document_that_is_none_is_an_error_and_not_waited_for(document: bytes, words: str) -> None:
    async with ImdsServer() as server:
        server.content[DOCUMENT_PATH] = document
        with pytest.raises(IdentityError, match=words):
            await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()


async def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with ImdsServer() as server:
        machine = await Ec2Source(Ec2Settings(endpoint=server.endpoint)).obtain()
    assert machine.identity.name == NAME


async def test_a_credential_is_read_again_whenever_it_is_shown() -> None:
    async with ImdsServer() as server:
        source = Ec2Source(Ec2Settings(endpoint=server.endpoint))
        wallet = Wallet(source, await source.obtain())
        server.content["/latest/dynamic/instance-identity/rsa2048"] = b"bmV3\nZXI="
        shown = await wallet.credential(SESSION)
    assert shown is not None
    assert shown.ec2 is not None
    assert shown.ec2.rsa2048 == "bmV3ZXI="


@pytest.mark.parametrize("status", [404, 500])
async def test_a_credential_that_cannot_be_read_again_is_shown_as_it_was_last_known(status: int) -> None:
    async with ImdsServer() as server:
        source = Ec2Source(Ec2Settings(endpoint=server.endpoint))
        machine = await source.obtain()
        server.failures = [status]
        assert await Wallet(source, machine).credential(SESSION) == machine.credential


async def test_a_file_may_carry_the_credential_and_is_read_again(tmp_path: Path) -> None:
    source = written(tmp_path, FILE + "credential: {ec2: {document: '{}', rsa2048: b25l}}\n")
    wallet = Wallet(source, await source.obtain())
    written(tmp_path, FILE + "credential: {ec2: {document: '{}', rsa2048: dHdv}}\n")
    shown = await wallet.credential(SESSION)
    assert shown is not None
    assert shown.ec2 == Ec2Credential(document="{}", rsa2048="dHdv")
