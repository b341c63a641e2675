"""The trust bundle of real workers on a real Kafka: issuers that cannot be reached, and reloads without a restart."""

from datetime import UTC, datetime
from pathlib import Path

from schemas.codec import decode_event
from schemas.credentials import Credential, CredentialReason, JwtCredential
from schemas.events import AgentSoftware, Introduction, Registration, Trusted
from schemas.identity import Identity, JwtIdentity
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.identity.core.bundle import TrustBundle
from services.identity.loading import load
from tests.integration.evidence import newest, workloads
from tests.integration.processor.house import House
from tests.integration.processor.story import home
from tests.support.eventually import eventually
from tests.support.logs import introduction, session
from tests.support.notary import TokenSigner
from tests.support.proofs import ProvenSession, mint
from tests.support.publisher import Publisher

CORP = TokenSigner()


def _written(file: Path, bundle: TrustBundle) -> TrustBundle:
    half = file.with_suffix(".new")
    half.write_text(bundle.model_dump_json())
    half.replace(file)
    return bundle


def _ann(publisher: Publisher) -> ProvenSession:
    """Return a machine whose proof is a token of the publisher's."""
    at = int(datetime.now(UTC).timestamp())
    token = CORP.token(iss=publisher.url, iat=at, nbf=at - 60, exp=at + 600)
    told = Introduction(
        namespace="bookinfo",
        group="ratings",
        identity=Identity(jwt=JwtIdentity(issuer="corp", subject="ann")),
        registration=Registration(agent=AgentSoftware(version="v1")),
    )
    return ProvenSession(told, session(900), shown=Credential(jwt=JwtCredential(issuer="corp", token=token)))


async def _say(house: House, machine: ProvenSession, value: bytes) -> None:
    key = machine.introduction.key.to_bytes()
    await house.write(home(key, house.partitions), [(key, value)])


async def _state(house: House, machine: ProvenSession) -> Workload | None:
    return newest(workloads(await house.records(WORKLOADS))).get(machine.introduction.key.to_bytes())


async def _joined(house: House, machine: ProvenSession) -> Workload:
    async def so() -> Workload | None:
        return await _state(house, machine)

    return await eventually(so, "the workload to be taken in", within_s=60, every_s=0.2)


async def _named(house: House) -> dict[int, list[str]]:
    """Return the bundles that each partition of the log names."""
    found: dict[int, list[str]] = {}
    for partition, records in (await house.records(EVENTS)).items():
        events = [decode_event(record.key, record.value) for record in records]
        found[partition] = [event.bundle for event in events if isinstance(event, Trusted)]
    return found


async def _all_name(house: House, digest: str) -> None:
    async def so() -> bool:
        return all(named[-1:] == [digest] for named in (await _named(house)).values())

    await eventually(so, f"every partition to name {digest}", within_s=60, every_s=0.2)


async def test_an_issuer_that_cannot_be_reached_leaves_the_others_and_is_believed_once_it_can_be(
    house: House, tmp_path: Path
) -> None:
    """Without a restart: its tokens are refused as such until then, and machines of EC2 join all along."""
    async with Publisher(CORP.jwk) as publisher:
        publisher.status = 503
        own = mint().bundle()
        before = _written(
            tmp_path / "trust.json", own.model_copy(update={"issuers": (*own.issuers, publisher.issuer())})
        )
        kept = tmp_path / "kept"
        worker = house.worker(trust__bundle=tmp_path / "trust.json", trust__kept=kept)
        await house.ready(worker)
        await _all_name(house, before.digest)
        ann, machine = _ann(publisher), ProvenSession(introduction(1), session(1))
        for one in (ann, machine):
            await _say(house, one, one.connect().to_json())
        await _joined(house, machine)

        async def refused() -> bool:
            return bool(await house.letters())

        await eventually(refused, "the token to be refused", within_s=30)
        [letter] = await house.letters()
        assert letter.reason == "IdentityNotVerified"
        assert letter.message.startswith(CredentialReason.KEYS_UNAVAILABLE)
        assert "the keys of an issuer could not be fetched" in worker.log.read_text()
        publisher.status = 200

        async def another() -> str | None:
            return next((named[-1] for named in (await _named(house)).values() if named[-1] != before.digest), None)

        digest = await eventually(another, "a bundle with the issuer's keys", within_s=60, every_s=0.5)
        await _all_name(house, digest)
        await _say(house, ann, ann.heartbeat(introduces=True).to_json())
        state = await _joined(house, ann)
        assert state.verified is not None
        assert (state.verified.method, state.verified.bundle) == ("jwt", digest)
        await house.drain(worker)
        assert {load(one).digest for one in kept.iterdir()} == {before.digest, digest}


async def test_a_bundle_is_read_again_without_a_restart_and_a_broken_one_changes_nothing(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "trust.json"
    nobody = _written(file, load(None))
    worker = house.worker(trust__bundle=file)
    await house.ready(worker)
    await _all_name(house, nobody.digest)
    machine = ProvenSession(introduction(1), session(1))
    await _say(house, machine, machine.connect().to_json())

    async def refused() -> bool:
        return bool(await house.letters())

    await eventually(refused, "the machine to be refused", within_s=30)
    assert (await house.letters())[0].message.startswith(CredentialReason.BAD_SIGNATURE)
    ours = _written(file, mint().bundle())
    await _all_name(house, ours.digest)
    await _say(house, machine, machine.heartbeat(introduces=True).to_json())
    state = await _joined(house, machine)
    assert state.verified is not None
    assert state.verified.bundle == ours.digest
    file.write_text("{")

    async def complained() -> bool:
        return "the trust bundle cannot be used; the one before stays in force" in worker.log.read_text()

    await eventually(complained, "the broken bundle to be told", within_s=30)
    another = ProvenSession(introduction(2), session(2))
    await _say(house, another, another.connect().to_json())
    assert (await _joined(house, another)).verified is not None
    assert all(named == [nobody.digest, ours.digest] for named in (await _named(house)).values())
    await house.drain(worker)
