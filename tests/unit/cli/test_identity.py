"""``muster identity``: what a credential proves, bundles, and a mint, as a person meets them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.credentials import Credential
from services.agent.identity.file import FileSource
from services.cli.main import app
from services.identity.core.bundle import IssuerKind, TrustBundle
from services.identity.issuing import Mint
from services.identity.loading import load
from services.processor.settings import ProcessorSettings
from services.runtime.config import load as settings
from tests.support.logs import introduction
from tests.support.notary import DAY, NOW, SESSION, Notary, TokenSigner, document
from tests.support.proofs import ProvenSession

INSTANCE = "i-1234567890abcdef0"
NAME = f"aws-aws-123456789012-us-east-2b-ec2-{INSTANCE}"


def _run(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["identity", *map(str, arguments)], input=given, env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mint")
    assert _run("mint", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def trust(folder: Path) -> Path:
    return folder / "trust.json"


@pytest.fixture
def issued(folder: Path, tmp_path: Path) -> Path:
    file = tmp_path / "identity.json"
    file.write_text(_run("issue", folder, "--instance", INSTANCE).stdout)
    return file


def test_what_a_mint_issues_proves_the_machine_and_says_by_which_key_and_bundle(issued: Path, trust: Path) -> None:
    done = _run("verify", issued, "--bundle", trust)
    assert done.exit_code == 0
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert told["identity"] == NAME
    assert told["method"] == "ec2-rsa2048"
    assert told["bundle"] == load(trust).digest
    assert set(told) == {"identity", "method", "key", "bundle", "at"}


def test_without_the_mints_bundle_it_proves_nothing(issued: Path) -> None:
    done = _run("verify", issued)
    assert done.exit_code == 1
    assert done.stdout.startswith("refused: CredentialBadSignature: the signature is not by ")


def test_as_json_it_is_the_identity_as_the_wire_has_it(issued: Path, trust: Path) -> None:
    told = json.loads(_run("verify", issued, "--bundle", trust, "-o", "json").stdout)
    assert told["accepted"] is True
    assert told["name"] == NAME
    assert told["identity"]["aws"]["ec2"] == {"instanceId": INSTANCE}
    assert told["verified"]["method"] == "ec2-rsa2048"


def test_a_token_is_judged_in_the_session_of_the_event_that_carries_it(tmp_path: Path) -> None:
    """A token that stands alone tells nobody who showed it."""
    google = TokenSigner("google", IssuerKind.GCP, algorithm="RS256")
    (tmp_path / "trust.json").write_text(TrustBundle(issuers=(google.issuer(),)).model_dump_json())
    machine = {"project_id": "shop", "zone": "europe-west1-b", "instance_id": "1"}
    credential = {"gcp": {"token": google.token(google={"compute_engine": machine})}}
    event = {"type": "connect", "session": SESSION, "proof": {"credential": credential}}
    at = ("--bundle", tmp_path / "trust.json", "--at", f"{NOW:%FT%TZ}")
    for shown in (credential, event):
        assert _run("verify", "-", *at, given=json.dumps(shown)).exit_code == 0
    event["session"] = "00000000-0000-4000-8000-00000000000f"
    done = _run("verify", "-", *at, given=json.dumps(event))
    assert done.exit_code == 1
    assert done.stdout.startswith(
        f"refused: CredentialWrongSession: it is meant for muster/session/{SESSION}; expected "
    )


def test_a_claim_of_another_identity_is_refused_with_its_code(issued: Path, trust: Path) -> None:
    done = _run("verify", issued, "--bundle", trust, "--claims", "jwt-corp--ann", "-o", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "accepted": False,
        "reason": "CredentialIdentityMismatch",
        "message": f"it proves to be {NAME}, and claims to be jwt-corp--ann",
    }


def test_an_identity_file_that_claims_somebody_else_is_refused(issued: Path, trust: Path) -> None:
    told = json.loads(issued.read_text())
    told["identity"]["aws"]["ec2"]["instanceId"] = "i-00000000"
    issued.write_text(json.dumps(told))
    done = _run("verify", issued, "--bundle", trust)
    assert done.exit_code == 1
    assert "CredentialIdentityMismatch" in done.stdout


def test_time_is_the_one_that_is_given(folder: Path, trust: Path) -> None:
    token = _run("issue", folder, "--subject", "ann", "--claim", "team=core", "--lasts", "5m").stdout
    assert "attribute team  core" in _run("verify", "-", "--bundle", trust, given=token).stdout
    late = _run("verify", "-", "--bundle", trust, "--at", "2030-01-01T00:00:00Z", given=token)
    assert late.exit_code == 1
    assert late.stdout.startswith("refused: CredentialExpired: ")


def test_a_credential_alone_and_a_whole_event_are_understood(folder: Path, trust: Path) -> None:
    shown = Credential(ec2=Mint(folder).ec2(INSTANCE))
    done = _run("verify", "-", "--bundle", trust, given=shown.to_json().decode())
    assert done.exit_code == 0
    event = ProvenSession(introduction(1), "00000000-0000-4000-8000-000000000001").connect().to_json().decode()
    done = _run("verify", "-", given=event)
    assert done.exit_code == 1, "that was another mint's"
    assert "CredentialBadSignature" in done.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "neither JSON nor YAML"),
        ("hello", "expected a credential, an identity file or an event"),
        ("{}", "not a credential: credential: give exactly one of ec2, jwt, gcp and azure"),
        ('{"ec2": {}}', "not a credential: ec2.document: Field required"),
        ('{"credential": {"jwt": {"issuer": "a", "token": ""}}}', "jwt.token: String should have at least 1 character"),
        ("x" * 300_000, "more than 262144 bytes"),
    ],
)
def test_what_is_no_credential_is_wrong_usage(content: str, words: str) -> None:
    done = _run("verify", "-", given=content)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    done = _run("verify", tmp_path / "none.json")
    assert done.exit_code == 2
    assert "none.json: No such file or directory" in done.stderr


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_bundle_that_cannot_be_used_is_wrong_usage(command: str, issued: Path, tmp_path: Path) -> None:
    place = tmp_path / "nowhere"
    done = _run("verify", issued, "--bundle", place) if command == "verify" else _run("bundle", "show", place)
    assert done.exit_code == 2
    assert f"make one with: muster identity bundle init {place}" in done.stderr


async def test_an_agent_takes_what_is_issued_as_its_identity_file(issued: Path) -> None:
    machine = await FileSource(issued).obtain()
    assert machine.identity.name == NAME
    assert machine.credential is not None


def test_a_token_alone_is_printed_for_an_agents_token_file(folder: Path) -> None:
    done = _run("issue", folder, "--subject", "ann", "-o", "token")
    assert done.exit_code == 0
    assert done.stdout.count(".") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --instance and --subject"),
        (("--instance", INSTANCE, "--subject", "ann"), "give one of --instance and --subject"),
        (("--instance", INSTANCE, "-o", "token"), "only a --subject has a token"),
        (("--instance", "ratings"), "instance"),
        (("--instance", INSTANCE, "--zone", "Ohio"), "Ohio is no availability zone"),
        (("--instance", INSTANCE, "--account", "1"), "account"),
        (("--subject", "ann", "--lasts", "long"), "is no duration"),
    ],
)
def test_what_cannot_be_issued_is_wrong_usage(arguments: tuple[str, ...], words: str, folder: Path) -> None:
    done = _run("issue", folder, *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_mint_that_is_not_there_is_named_with_how_to_make_it(tmp_path: Path) -> None:
    done = _run("issue", tmp_path / "mint", "--instance", INSTANCE)
    assert done.exit_code == 2
    assert f"make one with: muster identity mint {tmp_path}/mint" in done.stderr
    assert not (tmp_path / "mint").exists()


def test_a_mints_bundle_has_its_regions_and_says_whom_it_is_for(tmp_path: Path) -> None:
    done = _run("mint", tmp_path, "--region", "eu-west-1", "--region", "us-east-2", "--audience", "roll")
    assert done.exit_code == 0
    bundle = load(tmp_path / "trust.json")
    own = [one.region for one in bundle.certificates if one not in load(None).certificates]
    assert own == ["eu-west-1", "us-east-2"]
    assert bundle.audiences == ("roll",)
    assert bundle.digest in done.stdout
    assert "for development only" in done.stderr


def test_the_settings_that_the_help_of_the_mint_names_are_the_processors(folder: Path, trust: Path) -> None:
    words = " ".join(_run("mint", "--help").stdout.replace("\\", "").split())
    assert "--set trust.bundle=mint/trust.json --set trust.key=mint/processor.key" in words
    trusted = {"bundle": str(trust), "key": str(folder / "processor.key")}
    assert settings(ProcessorSettings, trust=trusted).trust.bundle == trust


def test_a_bundle_that_is_begun_is_one_and_is_not_begun_twice(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    assert _run("bundle", "init", folder).exit_code == 0
    assert load(folder) == load(None)
    (folder / "trust.yaml").write_text("audiences: [mine]\n")
    done = _run("bundle", "init", folder)
    assert done.exit_code == 1
    assert "there is one already; nothing was written" in done.stderr
    assert load(folder).audiences == ("mine",)


def test_the_issuers_that_a_new_bundle_has_as_a_comment_are_issuers(tmp_path: Path) -> None:
    _run("bundle", "init", tmp_path)
    lines = (tmp_path / "trust.yaml").read_text().replace("issuers: []", "issuers:").splitlines()
    lines = [line[1:] if line.startswith(("#  ", "#    ")) else line for line in lines]
    (tmp_path / "trust.yaml").write_text("\n".join(lines))
    assert [(one.name, one.kind) for one in load(tmp_path).issuers] == [
        ("corp", "jwt"),
        ("google", "gcp"),
        ("tasks", "ecs"),
        ("entra", "azure"),
    ]


def test_a_bundle_is_shown_with_its_digest_issuers_and_the_validity_of_certificates(trust: Path) -> None:
    done = _run("bundle", "show", trust)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"digest      {load(trust).digest}"
    assert any(line.split()[:3] == ["mint", "jwt", "https://mint.muster.invalid"] for line in lines)
    assert any(line.split()[:4] == ["us-east-2", "rsa2048", "2016-06-10", "2195-11-14"] for line in lines)


def test_as_json_a_bundle_is_one_file_with_the_same_digest(trust: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text(_run("bundle", "show", trust, "-o", "json").stdout)
    assert load(copy).digest == load(trust).digest


def test_a_good_bundle_is_found_good(trust: Path) -> None:
    done = _run("bundle", "check", trust, "-o", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"digest": load(trust).digest, "fine": True, "faults": [], "warnings": []}


def _bundle(tmp_path: Path, *notaries: Notary, **changed: object) -> Path:
    told = {"certificates": tuple(one.certificate("us-east-2") for one in notaries), **changed}
    file = tmp_path / "trust.json"
    file.write_text(TrustBundle.model_validate(told).model_dump_json())
    return file


def test_a_certificate_that_expired_is_a_fault_unless_another_takes_its_place(tmp_path: Path) -> None:
    old, new = Notary(since=NOW - 900 * DAY, until=NOW - 800 * DAY), Notary(until=NOW + 90_000 * DAY)
    done = _run("bundle", "check", _bundle(tmp_path, old))
    assert done.exit_code == 1
    assert "Error: the rsa2048 certificate of us-east-2 expired on 2024-09-14" in done.stderr
    assert _run("bundle", "check", _bundle(tmp_path, old, new)).exit_code == 0


@pytest.mark.usefixtures("restored_logs")
def test_an_issuer_whose_keys_cannot_be_had_is_a_fault_unless_nobody_is_asked(tmp_path: Path) -> None:
    dead = TokenSigner("dead").issuer(issuer="http://127.0.0.1:9", keys=(), discovery=True)
    file = _bundle(tmp_path, issuers=(dead,))
    done = _run("bundle", "check", file)
    assert done.exit_code == 1
    assert "Error: dead: no keys of http://127.0.0.1:9 could be fetched" in done.stderr
    told = json.loads(_run("bundle", "check", file, "-o", "json").stdout)
    assert told["faults"] == ["dead: no keys of http://127.0.0.1:9 could be fetched"]
    assert TrustBundle.model_validate_json(_run("bundle", "show", file, "-o", "json").stdout).issuers == (dead,)
    assert _run("bundle", "check", file, "--offline").exit_code == 0


def test_a_bundle_that_cannot_be_used_is_told_as_such_when_it_is_checked(tmp_path: Path) -> None:
    (tmp_path / "trust.yaml").write_text("audience: x\n")
    done = _run("bundle", "check", tmp_path, "-o", "json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["digest"] is None
    assert "audience: Extra inputs are not permitted" in told["faults"][0]


def test_a_document_of_the_tests_is_verified_by_the_time_of_its_certificate(tmp_path: Path) -> None:
    file = _bundle(tmp_path, Notary())
    shown = Credential(ec2=Notary().shows(document())).to_json().decode()
    assert _run("verify", "-", "--bundle", file, "--at", "2026-11-23T12:00:00Z", given=shown).exit_code == 0
    late = _run("verify", "-", "--bundle", file, "--at", "2026-12-23T12:00:00Z", given=shown)
    assert "CredentialExpired" in late.stdout
