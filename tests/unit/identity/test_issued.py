"""Tokens that prove nothing, one a row, each refused with its own reason code; and those that do."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from schemas.codec import Rejection, decode_event
from schemas.credentials import Chain, Credential, CredentialReason, JwtCredential, Proof, TokenCredential
from schemas.events import AgentSoftware, Connect, Introduction, Registration
from schemas.identity import AwsIdentity, AzureIdentity, EcsTask, GcpIdentity, Identity, JwtIdentity
from schemas.names import read_back
from schemas.rejected import RejectReason
from services.identity.core.bundle import IssuerKind, TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import prove, verify
from tests.support.notary import NOW, SESSION, TokenSigner

R = CredentialReason
CORP = TokenSigner()
OLD = TokenSigner("old", kid=None, algorithm="RS256")
STRANGER = TokenSigner("stranger")
GOOGLE = TokenSigner("google", IssuerKind.GCP, algorithm="RS256")
ENTRA = TokenSigner("entra", IssuerKind.AZURE, algorithm="RS256")
TASKS = TokenSigner("tasks", IssuerKind.ECS)
SIGNERS = {IssuerKind.JWT: CORP, IssuerKind.GCP: GOOGLE, IssuerKind.AZURE: ENTRA, IssuerKind.ECS: TASKS}
PUBLISHED = TokenSigner("published")
BUNDLE = TrustBundle(
    issuers=(
        CORP.issuer(attributes={"team": "$.team", "groups": "$.groups[*]", "realm": "$.org.realm"}),
        OLD.issuer(),
        GOOGLE.issuer(),
        ENTRA.issuer(),
        TASKS.issuer(),
        PUBLISHED.issuer(keys=(), discovery=True),
    )
)
AT = int(NOW.timestamp())
MACHINE = {"project_id": "shop", "zone": "europe-west1-b", "instance_id": "123456789", "instance_name": "ratings-1"}
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
VM = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/Shop/providers/Microsoft.Compute/virtualMachines/Ratings-1"
TASK = {
    "partition": "aws",
    "account": "123456789012",
    "region": "us-east-2",
    "zone": "us-east-2b",
    "cluster": "Web_1",
    "task_id": "158d1c8083dd49d6b527399fd6414f5c",
    "role": "ratings",
}
CLAIMS: dict[IssuerKind, dict[str, Any]] = {
    IssuerKind.JWT: {},
    IssuerKind.GCP: {"google": {"compute_engine": MACHINE}, "email": "sa@shop.invalid", "email_verified": True},
    IssuerKind.AZURE: {"xms_mirid": VM, "tid": "99999999-2222-3333-4444-555555555555"},
    IssuerKind.ECS: {"ecs": TASK},
}
IDENTITIES = {
    IssuerKind.JWT: Identity(jwt=JwtIdentity(issuer="corp", subject="ann")),
    IssuerKind.GCP: Identity(
        gcp=GcpIdentity(
            project="shop",
            zone="europe-west1-b",
            instance_id="123456789",
            instance_name="ratings-1",
            service_account="sa@shop.invalid",
        )
    ),
    IssuerKind.AZURE: Identity(
        azure=AzureIdentity(
            tenant="99999999-2222-3333-4444-555555555555",
            subscription=SUBSCRIPTION,
            resource_group="shop",
            vm="ratings-1",
        )
    ),
    IssuerKind.ECS: Identity(
        aws=AwsIdentity(
            partition="aws",
            account="123456789012",
            region="us-east-2",
            zone="us-east-2b",
            ecs=EcsTask(cluster="Web_1", task_id="158d1c8083dd49d6b527399fd6414f5c", iam_role="ratings"),
        )
    ),
}


def _shown(kind: IssuerKind, token: str, issuer: str | None = None) -> Credential:
    if kind in {IssuerKind.JWT, IssuerKind.ECS}:
        return Credential(jwt=JwtCredential(issuer=issuer or SIGNERS[kind].name, token=token))
    return Credential.model_validate({kind.value: TokenCredential(token=token)})


def _judged(kind: IssuerKind, token: str, bundle: TrustBundle = BUNDLE, at: datetime = NOW) -> Accepted | Refusal:
    return verify(bundle, _shown(kind, token), IDENTITIES[kind], at, SESSION)


def _refused(found: Accepted | Refusal) -> CredentialReason:
    assert isinstance(found, Refusal), found
    assert found.message
    assert found.message.isprintable()
    return found.reason


@pytest.mark.parametrize("kind", list(IssuerKind))
def test_a_good_token_proves_who_it_is_of(kind: IssuerKind) -> None:
    found = _judged(kind, SIGNERS[kind].token(**CLAIMS[kind]))
    assert isinstance(found, Accepted), found
    assert found.identity == IDENTITIES[kind]
    assert found.verified.method == ("jwt" if kind is IssuerKind.ECS else kind.value)
    assert found.verified.key == f"{SIGNERS[kind].url}#key-1"
    assert (found.verified.bundle, found.verified.at) == (BUNDLE.digest, NOW)


def _unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    parts = ({"alg": algorithm, "typ": "JWT", "kid": CORP.kid}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def _claims(signer: TokenSigner, kind: IssuerKind) -> dict[str, Any]:
    return jwt.decode(signer.token(**CLAIMS[kind]), options={"verify_signature": False})


def _with_public_key(signer: TokenSigner, kind: IssuerKind) -> str:
    """Sign with HS256, the published key as the shared secret: what a verifier that trusts ``alg`` takes for good."""
    public = signer.private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    # PyJWT itself refuses a PEM as a secret; an attacker does not use it.
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": signer.kid}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(_claims(signer, kind)).encode()).decode().rstrip("=")
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(f"{head}.{body}".encode(), pem)
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _cut(token: str, place: int) -> str:
    """Return the token with one character of a part (0 head, 1 claims, 2 signature) replaced."""
    parts = token.split(".")
    middle = len(parts[place]) // 2
    other = "A" if parts[place][middle] != "A" else "B"
    parts[place] = parts[place][:middle] + other + parts[place][middle + 1 :]
    return ".".join(parts)


BAD: dict[str, tuple[Callable[[TokenSigner, dict[str, Any]], str], set[CredentialReason]]] = {
    "expired": (lambda of, told: of.token(**told, exp=AT - 31), {R.EXPIRED}),
    "not valid yet": (lambda of, told: of.token(**told, nbf=AT + 31), {R.NOT_YET_VALID}),
    "never expires": (lambda of, told: of.token(**told, exp=None), {R.CLAIM_MISSING}),
    "exp is no number": (lambda of, told: of.token(**told, exp="tomorrow"), {R.MALFORMED}),
    "exp is true": (lambda of, told: of.token(**told, exp=True), {R.MALFORMED}),
    "exp is beyond all floats": (lambda of, told: of.token(**told, exp=10**400), {R.MALFORMED}),
    "nbf is no number": (lambda of, told: of.token(**told, nbf="now"), {R.MALFORMED}),
    "another audience": (lambda of, told: of.token(**told, aud="vault"), {R.WRONG_AUDIENCE}),
    "no audience": (lambda of, told: of.token(**told, aud=None), {R.WRONG_AUDIENCE}),
    "an empty list of audiences": (lambda of, told: of.token(**told, aud=[]), {R.WRONG_AUDIENCE}),
    "audience is a number": (lambda of, told: of.token(**told, aud=[7]), {R.WRONG_AUDIENCE}),
    "audience begins like ours": (lambda of, told: of.token(**told, aud="muster-2"), {R.WRONG_AUDIENCE}),
    "alg none": (lambda of, _told: _unsigned(_claims(of, of.kind)), {R.ALGORITHM_NOT_ALLOWED}),
    "alg None": (lambda of, _told: _unsigned(_claims(of, of.kind), "None"), {R.ALGORITHM_NOT_ALLOWED}),
    "HS256 with the public key": (lambda of, _told: _with_public_key(of, of.kind), {R.ALGORITHM_NOT_ALLOWED}),
    "an algorithm of another key": (lambda of, told: _resigned(of, told, "PS384"), {R.ALGORITHM_NOT_ALLOWED}),
    "another key under the same kid": (lambda of, told: _impostor(of).token(**told), {R.BAD_SIGNATURE}),
    "claims altered": (lambda of, told: _cut(of.token(**told), 1), {R.BAD_SIGNATURE, R.MALFORMED}),
    "signature altered": (lambda of, told: _cut(of.token(**told), 2), {R.BAD_SIGNATURE}),
    "an unknown kid": (lambda of, told: of.token({"kid": "key-9"}, **told), {R.UNKNOWN_KEY}),
    "kid is a number": (lambda of, told: _headed(of, told, kid=1), {R.UNKNOWN_KEY, R.MALFORMED}),
    "an unknown issuer": (lambda of, told: of.token(**told, iss="https://nobody.invalid"), {R.UNKNOWN_ISSUER}),
    "no issuer": (lambda of, told: of.token(**told, iss=None), {R.UNKNOWN_ISSUER}),
    "another issuer's": (lambda _of, told: STRANGER.token(**told), {R.UNKNOWN_ISSUER}),
    "issuer is a list": (lambda of, told: _headed(of, told | {"iss": [of.url]}), {R.UNKNOWN_ISSUER, R.MALFORMED}),
    "critical extensions": (lambda of, told: of.token({"crit": ["x"], "x": 1}, **told), {R.MALFORMED}),
    "no token": (lambda _of, _told: "hello", {R.MALFORMED}),
    "three empty parts": (lambda _of, _told: "..", {R.MALFORMED}),
    "not ASCII": (lambda _of, _told: "é.é.é", {R.MALFORMED}),
    "as long as an event takes": (lambda _of, _told: "A" * 16 * 1024, {R.MALFORMED}),
    "claims nested without end": (lambda of, _told: _nested(of), {R.MALFORMED}),
}


def _impostor(of: TokenSigner) -> TokenSigner:
    return _Impostor(*of)


class _Impostor(TokenSigner):
    """Another key under somebody's name."""

    @property
    def private(self) -> Any:  # noqa: ANN401 - either kind of key
        return TokenSigner("impostor", algorithm=self.algorithm).private


def _resigned(of: TokenSigner, told: dict[str, Any], algorithm: str) -> str:
    key = TokenSigner("impostor", algorithm="RS256").private
    claims = _claims(of, of.kind) | told
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": of.kid})


def _headed(of: TokenSigner, told: dict[str, Any], **headers: object) -> str:
    """Sign whatever head and claims, as PyJWT would not."""
    parts = ({"alg": of.algorithm, "kid": of.kid} | headers, _claims(of, of.kind) | told)
    body = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return _signed(of, body)


def _nested(of: TokenSigner) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": of.algorithm, "kid": of.kid}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(b"[" * 11_000).decode().rstrip("=")
    return _signed(of, f"{head}.{body}")


def _signed(of: TokenSigner, text: str) -> str:
    made = jwt.get_algorithm_by_name(of.algorithm).sign(text.encode(), of.private)
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


@pytest.mark.parametrize("kind", list(IssuerKind))
@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_with_its_own_reason(name: str, kind: IssuerKind) -> None:
    make, reasons = BAD[name]
    found = _judged(kind, make(SIGNERS[kind], CLAIMS[kind]))
    assert _refused(found) in reasons, found


OF_ITS_KIND: dict[str, tuple[IssuerKind, dict[str, Any], CredentialReason]] = {
    "no subject": (IssuerKind.JWT, {"sub": None}, R.CLAIM_MISSING),
    "an empty subject": (IssuerKind.JWT, {"sub": ""}, R.CLAIM_MISSING),
    "a subject longer than any name": (IssuerKind.JWT, {"sub": "a" * 254}, R.CLAIM_MISSING),
    "another subject": (IssuerKind.JWT, {"sub": "bob"}, R.IDENTITY_MISMATCH),
    "a subject that only looks alike": (IssuerKind.JWT, {"sub": "Ann"}, R.IDENTITY_MISMATCH),
    "format=standard": (IssuerKind.GCP, {"google": None}, R.CLAIM_MISSING),
    "compute_engine is no object": (IssuerKind.GCP, {"google": {"compute_engine": "x"}}, R.CLAIM_MISSING),
    "no project": (IssuerKind.GCP, {"google": {"compute_engine": MACHINE | {"project_id": ""}}}, R.CLAIM_MISSING),
    "a zone that is none": (
        IssuerKind.GCP,
        {"google": {"compute_engine": MACHINE | {"zone": "a--b"}}},
        R.CLAIM_MISSING,
    ),
    "instance id is no number": (
        IssuerKind.GCP,
        {"google": {"compute_engine": MACHINE | {"instance_id": "x1"}}},
        R.CLAIM_MISSING,
    ),
    "another instance": (
        IssuerKind.GCP,
        {"google": {"compute_engine": MACHINE | {"instance_id": "987654321"}}},
        R.IDENTITY_MISMATCH,
    ),
    "no machine": (IssuerKind.AZURE, {"xms_mirid": None}, R.CLAIM_MISSING),
    "a user-assigned identity": (
        IssuerKind.AZURE,
        {
            "xms_mirid": VM.replace(
                "Microsoft.Compute/virtualMachines", "Microsoft.ManagedIdentity/userAssignedIdentities"
            )
        },
        R.CLAIM_MISSING,
    ),
    "a path beyond the machine": (IssuerKind.AZURE, {"xms_mirid": f"{VM}/extensions/x"}, R.CLAIM_MISSING),
    "a subscription that is no GUID": (
        IssuerKind.AZURE,
        {"xms_mirid": VM.replace(SUBSCRIPTION, "mine")},
        R.CLAIM_MISSING,
    ),
    "no tenant": (IssuerKind.AZURE, {"tid": None}, R.CLAIM_MISSING),
    "another machine": (IssuerKind.AZURE, {"xms_mirid": f"{VM}0"}, R.IDENTITY_MISMATCH),
}


@pytest.mark.parametrize("name", OF_ITS_KIND)
def test_a_token_whose_claims_name_nobody_or_another_is_refused(name: str) -> None:
    kind, changed, reason = OF_ITS_KIND[name]
    assert _refused(_judged(kind, SIGNERS[kind].token(**(CLAIMS[kind] | changed)))) is reason


@pytest.mark.parametrize("kind", list(IssuerKind))
@pytest.mark.parametrize(("after_s", "reason"), [(-91, R.NOT_YET_VALID), (-90, None), (629, None), (630, R.EXPIRED)])
def test_times_are_judged_by_the_broker_with_some_leeway(
    after_s: int, reason: CredentialReason | None, kind: IssuerKind
) -> None:
    """The token is valid from a minute before to ten minutes after, and clocks may differ by half a minute."""
    token = SIGNERS[kind].token(**CLAIMS[kind])
    found = _judged(kind, token, at=NOW + timedelta(seconds=after_s))
    assert (None if isinstance(found, Accepted) else _refused(found)) is reason


@pytest.mark.parametrize("kind", list(IssuerKind))
def test_a_token_of_one_kind_of_issuer_is_none_of_another(kind: IssuerKind) -> None:
    for other in set(IssuerKind) - {kind}:
        assert _refused(_judged(kind, SIGNERS[other].token(**CLAIMS[other]))) is R.UNKNOWN_ISSUER


def test_a_cloud_s_issuer_cannot_be_named_as_if_it_were_any_issuer() -> None:
    """Else any service account of that cloud would have a name of the kind ``jwt``."""
    found = verify(BUNDLE, _shown(IssuerKind.JWT, GOOGLE.token(), "google"), IDENTITIES[IssuerKind.JWT], NOW, SESSION)
    assert _refused(found) is R.UNKNOWN_ISSUER


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_an_address_that_google_did_not_verify_is_nobodys_service_account(verified: object) -> None:
    found = _judged(IssuerKind.GCP, GOOGLE.token(**(CLAIMS[IssuerKind.GCP] | {"email_verified": verified})))
    assert isinstance(found, Accepted)
    assert found.identity.gcp is not None
    assert found.identity.gcp.service_account is None


THEIRS = "00000000-0000-4000-8000-00000000000f"
BOUND: dict[str, tuple[object, CredentialReason | None, CredentialReason | None]] = {
    "for this session": (f"muster/session/{SESSION}", None, None),
    "for this session, among others": (["vault", f"muster/session/{SESSION}"], None, None),
    "for another session": (f"muster/session/{THEIRS}", R.WRONG_SESSION, R.WRONG_SESSION),
    "for no session": ("muster", R.WRONG_SESSION, None),
    "for a session that begins like this": (f"muster/session/{SESSION}0", R.WRONG_SESSION, R.WRONG_SESSION),
    "for this session, and more": (f"muster/session/{SESSION}/", R.WRONG_SESSION, R.WRONG_SESSION),
    "for the session without a name": ("muster/session/", R.WRONG_SESSION, R.WRONG_SESSION),
    "for this session of another Muster": (f"vault/session/{SESSION}", R.WRONG_AUDIENCE, R.WRONG_AUDIENCE),
    "for what begins like our sessions": (f"muster/sessions/{SESSION}", R.WRONG_AUDIENCE, R.WRONG_AUDIENCE),
    "for nobody": (None, R.WRONG_AUDIENCE, R.WRONG_AUDIENCE),
}


@pytest.mark.parametrize("name", BOUND)
def test_a_google_token_is_of_use_only_to_the_session_it_was_asked_for(name: str) -> None:
    """Unless the operator says that such tokens are made elsewhere: then one for no session is of use to all."""
    audience, bound, unbound = BOUND[name]
    token = GOOGLE.token(**CLAIMS[IssuerKind.GCP], aud=audience)
    for issuer, reason in ((GOOGLE.issuer(), bound), (GOOGLE.issuer(session_bound=False), unbound)):
        found = _judged(IssuerKind.GCP, token, TrustBundle(issuers=(issuer,)))
        assert (None if isinstance(found, Accepted) else _refused(found)) is reason, found


def test_a_refusal_says_which_session_was_expected() -> None:
    found = _judged(IssuerKind.GCP, GOOGLE.token(**CLAIMS[IssuerKind.GCP], aud=f"muster/session/{THEIRS}"))
    assert isinstance(found, Refusal)
    assert found.message == f"it is meant for muster/session/{THEIRS}; expected muster/session/{SESSION}"


def test_of_a_token_that_stands_alone_nobody_can_say_whose_session_it_is() -> None:
    """``muster identity verify`` is given a token without the event that carried it."""
    for audience in ("muster", f"muster/session/{THEIRS}"):
        token = GOOGLE.token(**CLAIMS[IssuerKind.GCP], aud=audience)
        assert isinstance(prove(BUNDLE, _shown(IssuerKind.GCP, token), NOW), Accepted)
    refused = prove(BUNDLE, _shown(IssuerKind.GCP, GOOGLE.token(**CLAIMS[IssuerKind.GCP], aud="vault")), NOW)
    assert _refused(refused) is R.WRONG_AUDIENCE


def test_an_issuer_whose_name_nobody_configured_is_unknown_though_its_token_is_good() -> None:
    found = verify(BUNDLE, _shown(IssuerKind.JWT, CORP.token(), "other"), IDENTITIES[IssuerKind.JWT], NOW, SESSION)
    assert _refused(found) is R.UNKNOWN_ISSUER


def test_a_token_under_another_issuers_name_is_not_its() -> None:
    found = verify(BUNDLE, _shown(IssuerKind.JWT, CORP.token(), "old"), IDENTITIES[IssuerKind.JWT], NOW, SESSION)
    assert _refused(found) is R.UNKNOWN_ISSUER


def test_a_token_without_kid_is_verified_by_the_only_key_but_never_by_one_of_two() -> None:
    nameless = TokenSigner("corp", kid=None)
    one = TrustBundle(issuers=(CORP.issuer(),))
    two = TrustBundle(issuers=(CORP.issuer(keys=(CORP.jwk, TokenSigner("b", kid="key-2").jwk)),))
    assert isinstance(_judged(IssuerKind.JWT, nameless.token(), one), Accepted)
    assert _refused(_judged(IssuerKind.JWT, nameless.token(), two)) is R.UNKNOWN_KEY


def test_the_key_of_a_token_is_found_by_its_kid_among_several() -> None:
    bundle = TrustBundle(issuers=(CORP.issuer(keys=(TokenSigner("b", kid="key-2").jwk, CORP.jwk)),))
    found = _judged(IssuerKind.JWT, CORP.token(), bundle)
    assert isinstance(found, Accepted)
    assert found.verified.key == f"{CORP.url}#key-1"


@pytest.mark.parametrize(
    "use", [{"kty": "oct", "k": "c2VjcmV0", "kid": "key-1"}, {"kid": "key-1"}, {"kty": 7, "kid": "key-1"}]
)
def test_a_key_that_is_none_for_the_algorithm_verifies_nothing(use: dict[str, Any]) -> None:
    bundle = TrustBundle(issuers=(CORP.issuer(keys=(use,)),))
    assert _refused(_judged(IssuerKind.JWT, CORP.token(), bundle)) is R.UNKNOWN_KEY


def test_an_issuer_whose_keys_were_never_fetched_is_refused_as_such() -> None:
    shown = _shown(IssuerKind.JWT, PUBLISHED.token(), "published")
    assert _refused(verify(BUNDLE, shown, IDENTITIES[IssuerKind.JWT], NOW, SESSION)) is R.KEYS_UNAVAILABLE


def test_attributes_are_taken_from_the_claims_by_their_paths() -> None:
    token = CORP.token(team="core", groups=["a", "b", 7, None, {"x": 1}], org={"realm": True}, secret="kept")  # noqa: S106
    found = _judged(IssuerKind.JWT, token)
    assert isinstance(found, Accepted)
    assert found.identity.jwt is not None
    assert found.identity.jwt.attributes == {"team": "core", "groups": "a,b,7,null", "realm": "true"}


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (["a,admin"], "a%2Cadmin"),
        (["a", "admin"], "a,admin"),
        (["100%2C", ""], "100%252C,"),
        (["a" * 1020, "admin-readonly", "b"], "a" * 1020 + ",b"),
        (["a" * 1025], None),
        ([], None),
    ],
)
def test_the_values_of_an_attribute_can_be_told_apart_and_none_is_cut(groups: list[str], told: str | None) -> None:
    found = _judged(IssuerKind.JWT, CORP.token(groups=groups))
    assert isinstance(found, Accepted)
    assert found.identity.jwt is not None
    assert found.identity.jwt.attributes.get("groups") == told


def test_a_path_that_cannot_be_applied_to_what_a_token_says_is_a_refusal() -> None:
    bundle = TrustBundle(issuers=(CORP.issuer(attributes={"seven": "$.groups[?@ contains 7]"}),))
    assert isinstance(_judged(IssuerKind.JWT, CORP.token(groups=[[7]]), bundle), Accepted)
    found = _judged(IssuerKind.JWT, CORP.token(groups=["7"]), bundle)
    assert found == Refusal(
        R.MALFORMED, "attribute seven: $.groups[?@ contains 7] cannot be applied to the claims: TypeError"
    )


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("ann", "jwt-corp--ann"),
        ("spiffe://corp/ns/a", "jwt-corp--spiffe--3a--2f--2fcorp--2fns--2fa"),
        ("repo:Muster/x@refs", "jwt-corp--repo--3a--4duster--2fx--40refs"),
        ("-ann-", "jwt-corp----2dann--2d"),
        ("Ünïcode", "jwt-corp----c3--9cn--c3--afcode"),
        ("a--b", "jwt-corp--a--2d--2db"),
    ],
)
def test_a_subject_that_is_no_name_is_spelled_so_that_it_can_be_read_back(subject: str, name: str) -> None:
    claimed = Identity(jwt=JwtIdentity(issuer="corp", subject=subject))
    found = verify(BUNDLE, _shown(IssuerKind.JWT, CORP.token(sub=subject)), claimed, NOW, SESSION)
    assert isinstance(found, Accepted), found
    assert found.identity.name == name
    assert found.identity.jwt is not None
    assert found.identity.jwt.subject == subject
    assert read_back(name.removeprefix("jwt-corp--")) == subject


def _connect(token: str, subject: str = "ann") -> tuple[bytes, bytes]:
    """Return key and value of a connect, as an agent of any make may write it."""
    introduction = Introduction(
        namespace="bookinfo",
        group="ratings",
        identity=Identity(jwt=JwtIdentity(issuer="corp", subject=subject)),
        registration=Registration(agent=AgentSoftware(version="v1")),
    )
    shown = Credential(jwt=JwtCredential.model_construct(issuer="corp", token=token))
    connect = Connect(
        session="00000000-0000-4000-8000-000000000001",
        seq=0,
        workload=introduction,
        proof=Proof(credential=shown, chain=Chain(anchor="0" * 64)),
    )
    return introduction.key.to_bytes(), connect.to_json()


@pytest.mark.parametrize(
    ("length", "reason"), [(16 * 1024 + 1, RejectReason.INVALID_FIELD), (100_000, RejectReason.OVERSIZE)]
)
def test_a_token_too_long_for_an_event_is_refused_before_anybody_reads_it(length: int, reason: RejectReason) -> None:
    found = decode_event(*_connect("a" * length))
    assert isinstance(found, Rejection)
    assert found.reason is reason
    assert len(found.message) < 300


def test_a_subject_too_long_for_a_name_in_kubernetes_is_refused_as_a_name() -> None:
    found = decode_event(*_connect(CORP.token(sub="A" * 80), "A" * 80))
    assert isinstance(found, Rejection)
    assert found.reason is RejectReason.INVALID_NAME


def test_a_bundle_holds_no_algorithm_with_a_shared_secret_or_none() -> None:
    for algorithm in ("none", "HS256", "HS512"):
        with pytest.raises(ValidationError):
            CORP.issuer(algorithms=(algorithm,))
