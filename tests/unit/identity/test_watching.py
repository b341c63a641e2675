"""The trust bundle of a running processor: another one is in force as soon as it is read, and a broken one never."""

from pathlib import Path

import pytest
import structlog

from schemas.credentials import Credential, CredentialReason
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal
from services.identity.loading import BundleError, load
from services.identity.watching import Bundles
from tests.support.notary import NOW, SESSION, Notary, document
from tests.unit.identity.test_documents import CLAIMED
from tests.unit.identity.test_given import CHECKED, KEY, knows, told

SHOWN = Credential(ec2=Notary().shows(document()))


async def _as_it_is(bundle: TrustBundle) -> TrustBundle:
    return bundle


def _written(file: Path, *notaries: Notary, **changed: object) -> TrustBundle:
    bundle = TrustBundle.model_validate({"certificates": [one.certificate() for one in notaries], **changed})
    file.write_text(bundle.model_dump_json())
    return bundle


def _judged(bundles: Bundles, by: str = "sha256:any") -> Accepted | Refusal:
    return bundles.verify(by, SHOWN, CLAIMED, NOW, SESSION)


async def test_another_bundle_is_in_force_once_it_is_read_and_is_told(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    before = _written(file)
    bundles = Bundles(file)
    assert isinstance(_judged(bundles), Refusal)
    after = _written(file, Notary())
    with structlog.testing.capture_logs() as told:
        await bundles.refresh(_as_it_is)
    assert bundles.current == after
    assert isinstance(_judged(bundles), Accepted)
    assert [line["bundle"] for line in told] == [after.digest]
    assert before.digest != after.digest


async def test_the_same_bundle_read_again_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    _written(file, Notary())
    bundles = Bundles(file)
    with structlog.testing.capture_logs() as told:
        await bundles.refresh(_as_it_is)
    assert told == []


@pytest.mark.parametrize("broken", ["", "{", '{"audiences": []}', None])
async def test_a_broken_bundle_leaves_the_one_before_in_force_and_is_told_once(
    broken: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "trust.json"
    _written(file, Notary())
    bundles = Bundles(file)
    before = bundles.current
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            await bundles.refresh(_as_it_is)
    assert bundles.current is before
    assert isinstance(_judged(bundles), Accepted)
    assert [(line["log_level"], line["event"]) for line in told] == [
        ("error", "the trust bundle cannot be used; the one before stays in force")
    ]
    assert str(file) in told[0]["fault"]


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        (
            "issuers: [{name: corp, issuer: x, discovery: true, attributes: {a: '$.a[?@ =~ /((/]'}}]",
            "attribute a of corp",
        ),
        (
            "issuers: [{name: corp, issuer: x, discovery: true, attributes: {a: '$[?@.n > 1e400]'}}]",
            "attribute a of corp",
        ),
        ("audiences: 2026-99-99", "month must be in 1..12"),
        ("[" * 100_000, "RecursionError"),
    ],
)
async def test_an_edit_that_breaks_a_parser_breaks_no_processor(trust: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "trust.yaml"
    file.write_text("audiences: [roll]")
    bundles = Bundles(tmp_path)
    before = bundles.current
    file.write_text(trust)
    with structlog.testing.capture_logs() as told:
        await bundles.refresh(_as_it_is)
    assert bundles.current is before
    assert [line["event"] for line in told] == ["the trust bundle cannot be used; the one before stays in force"]
    assert words in told[0]["fault"]


async def test_a_bundle_that_was_mended_is_in_force_and_the_next_fault_is_told_again(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    _written(file)
    bundles = Bundles(file)
    with structlog.testing.capture_logs() as told:
        file.write_text("{")
        await bundles.refresh(_as_it_is)
        after = _written(file, Notary())
        await bundles.refresh(_as_it_is)
        file.write_text("{")
        await bundles.refresh(_as_it_is)
    assert bundles.current == after
    assert [line["log_level"] for line in told] == ["error", "info", "error"]


def test_a_bundle_that_is_broken_at_the_start_is_a_fault_of_the_start(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such trust bundle"):
        Bundles(tmp_path / "trust.json")


async def test_records_of_the_bundle_before_are_judged_by_it_until_one_more_is_in_force(tmp_path: Path) -> None:
    """A partition goes over to a new bundle at the record that names it."""
    file = tmp_path / "trust.json"
    first = _written(file, Notary())
    bundles = Bundles(file)
    second = _written(file)
    await bundles.refresh(_as_it_is)
    assert isinstance(_judged(bundles, first.digest), Accepted)
    found = _judged(bundles, second.digest)
    assert isinstance(found, Refusal)
    assert found.reason is CredentialReason.UNKNOWN_ISSUER
    _written(file, Notary("other"))
    await bundles.refresh(_as_it_is)
    assert isinstance(_judged(bundles, first.digest), Refusal)


async def test_what_issuers_publish_is_part_of_the_bundle_in_force(tmp_path: Path) -> None:
    async def fetch(bundle: TrustBundle) -> TrustBundle:
        return bundle.model_copy(update={"certificates": (Notary().certificate(),)})

    _written(tmp_path / "trust.json")
    bundles = Bundles(tmp_path / "trust.json")
    await bundles.refresh(fetch)
    assert isinstance(_judged(bundles), Accepted)


async def test_each_bundle_that_was_in_force_is_kept_for_replays_under_its_digest(tmp_path: Path) -> None:
    file, kept = tmp_path / "trust.json", tmp_path / "kept"
    first = _written(file, Notary())
    bundles = Bundles(file, kept)
    second = _written(file)
    await bundles.refresh(_as_it_is)
    found = {one.name: load(one).digest for one in kept.iterdir()}
    assert found == {f"{one.digest.replace(':', '-')}.json": one.digest for one in (first, second)}


async def test_a_folder_that_cannot_keep_bundles_is_told_and_no_reason_to_end(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with structlog.testing.capture_logs() as told:
        bundles = Bundles(None, tmp_path / "kept")
    assert bundles.current == load(None)
    assert [line["event"] for line in told] == ["the trust bundle cannot be kept"]


async def test_whose_word_counts_is_known_of_the_bundle_in_force_and_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    before = _written(file, processors=list(knows(KEY).processors))
    bundles = Bundles(file)
    assert bundles.keys(before.digest) == before.keys
    nobody = _written(file)
    await bundles.refresh(_as_it_is)
    assert bundles.keys(before.digest) == before.keys
    assert bundles.keys(nobody.digest) == Keys()
    assert bundles.keys("sha256:garbage") is None
    signature = told(CHECKED).signature
    assert bundles.vouched(before.keys.processors, CHECKED.statement(0), signature)
    assert not bundles.vouched(before.keys.processors, CHECKED.statement(1), signature)
