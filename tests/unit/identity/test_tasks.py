"""Tokens of ECS tasks: which make a task known, by what they say where, and which do not, one a row."""

from typing import Any

import pytest

from schemas.credentials import Credential, CredentialReason, JwtCredential
from schemas.identity import Identity
from services.identity.core.bundle import EcsClaims, TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import prove, verify
from tests.support.notary import NOW, SESSION
from tests.unit.identity.test_issued import CORP, IDENTITIES, TASK, TASKS

R = CredentialReason
UUID = "11111111-2222-3333-4444-555555555555"


def _proven(claims: dict[str, Any], ecs: EcsClaims | None = None) -> Accepted | Refusal:
    bundle = TrustBundle(issuers=(TASKS.issuer(ecs=ecs),))
    shown = Credential(jwt=JwtCredential(issuer="tasks", token=TASKS.token(**claims)))
    return prove(bundle, shown, NOW, SESSION)


def _identity(found: Accepted | Refusal) -> Identity:
    assert isinstance(found, Accepted), found
    return found.identity


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "aws-aws-123456789012-us-east-2b-ecs---57eb--5f1-158d1c8083dd49d6b527399fd6414f5c"),
        ({"cluster": "web"}, "aws-aws-123456789012-us-east-2b-ecs-web-158d1c8083dd49d6b527399fd6414f5c"),
        ({"cluster": "web", "task_id": UUID}, f"aws-aws-123456789012-us-east-2b-ecs-web-{UUID}"),
        (
            {"cluster": "web", "partition": "aws-cn", "region": "cn-north-1", "zone": "cn-north-1a"},
            "aws-aws-cn-123456789012-cn-north-1a-ecs-web-158d1c8083dd49d6b527399fd6414f5c",
        ),
        (
            {"cluster": "web", "region": "us-west-2", "zone": "us-west-2-lax-1a"},
            "aws-aws-123456789012-us-west-2-lax-1a-ecs-web-158d1c8083dd49d6b527399fd6414f5c",
        ),
        (
            {"cluster": "web", "region": "us-east-1", "zone": "us-east-1-wl1-bos-wlz-1"},
            "aws-aws-123456789012-us-east-1-wl1-bos-wlz-1-ecs-web-158d1c8083dd49d6b527399fd6414f5c",
        ),
    ],
)
def test_a_task_has_the_name_of_what_its_token_says(changed: dict[str, str], name: str) -> None:
    found = _identity(_proven({"ecs": TASK | changed}))
    assert found.name == name
    assert found.aws is not None
    assert found.aws.ecs is not None
    assert found.aws.ecs.iam_role == "ratings"


@pytest.mark.parametrize("role", [{}, {"role": None}])
def test_a_token_need_not_say_a_role(role: dict[str, None]) -> None:
    told = {name: value for name, value in TASK.items() if name != "role"} | role
    aws = _identity(_proven({"ecs": told})).aws
    assert aws is not None
    assert aws.ecs is not None
    assert aws.ecs.iam_role is None


def test_where_a_token_says_what_is_configured() -> None:
    """A claim that others chose the name of, one for several parts' sake nested, one in a list."""
    ecs = EcsClaims(
        partition="$.p",
        account="$['https://aws.invalid/claims'].account_id",
        region="$.placement[0]",
        zone="$.placement[1]",
        cluster="$..cluster_name",
        task_id="$.task.id",
        role="$.nothing",
    )
    claims = {
        "p": "aws",
        "https://aws.invalid/claims": {"account_id": "123456789012"},
        "placement": ["us-east-2", "us-east-2b"],
        "task": {"id": TASK["task_id"], "cluster_name": "web"},
    }
    assert _identity(_proven(claims, ecs)).name == f"aws-aws-123456789012-us-east-2b-ecs-web-{TASK['task_id']}"
    refused = _proven({"ecs": TASK}, ecs)
    assert isinstance(refused, Refusal)
    assert refused.reason is R.CLAIM_MISSING


BAD: dict[str, tuple[dict[str, Any], str]] = {
    **{f"no {part}": ({part: None}, f"it has no {part} of a task") for part in TASK if part != "role"},
    **{f"{part} is a number": ({part: 7}, f"its {part} is 7, which is none of AWS's") for part in TASK},
    **{f"{part} is empty": ({part: ""}, f"its {part} is '', which is none of AWS's") for part in TASK},
    **{f"{part} is a list": ({part: [TASK[part]]}, f"its {part} is ['") for part in TASK},
    "an account of 11 digits": ({"account": "12345678901"}, "its account is '12345678901'"),
    "an account of Arabic digits": ({"account": "\u0661" * 12}, "its account is "),
    "a partition that is none": ({"partition": "azure"}, "its partition is 'azure'"),
    "a region of another partition": ({"partition": "aws-cn"}, "its region us-east-2 is not of its partition aws-cn"),
    "a region that is none": ({"region": "Ohio"}, "its region is 'Ohio'"),
    "a zone of another region": ({"zone": "us-east-1b"}, "its zone us-east-1b is not of its region us-east-2"),
    "a zone of a region that begins alike": ({"zone": "us-east-21b"}, "its zone us-east-21b is not of its region"),
    "a zone that is a region": ({"zone": "us-east-2"}, "its zone is 'us-east-2'"),
    "a zone with a cluster in it": ({"zone": "us-east-2b-ecs-web"}, "its zone is 'us-east-2b-ecs-web'"),
    "a zone and a line": ({"zone": "us-east-2b\n"}, "its zone is 'us-east-2b\\n'"),
    "an ARN for a cluster": ({"cluster": "arn:aws:ecs:us-east-2:123456789012:cluster/web"}, "its cluster is 'arn:"),
    "a cluster longer than AWS has any": ({"cluster": "a" * 256}, "its cluster is 'aaa"),
    "a cluster longer than a name": ({"cluster": "a" * 254}, "cluster: String should have at most 253"),
    "an ARN for a task": ({"task_id": "arn:aws:ecs:us-east-2:123456789012:task/web/1"}, "its task_id is 'arn:"),
    "a task id that is none": ({"task_id": "158D1C8083DD49D6B527399FD6414F5C"}, "its task_id is '158D"),
    "a task id with a cluster in it": ({"task_id": f"x-{TASK['task_id']}"}, "its task_id is 'x-"),
    "an ARN for a role": ({"role": "arn:aws:iam::123456789012:role/ratings"}, "its role is 'arn:"),
    "a role with a path": ({"role": "app/ratings"}, "its role is 'app/ratings'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_does_not_say_which_task_it_is_of_is_refused(name: str) -> None:
    changed, words = BAD[name]
    told = {part: value for part, value in (TASK | changed).items() if value is not None}
    found = _proven({"ecs": told})
    assert isinstance(found, Refusal), found
    assert found.reason is R.CLAIM_MISSING
    assert words in found.message
    assert found.message.isprintable()


def test_a_path_of_several_values_names_no_task() -> None:
    found = _proven({"ecs": TASK, "more": {"cluster": "other"}}, EcsClaims(cluster="$..cluster"))
    assert isinstance(found, Refusal)
    assert found == Refusal(R.CLAIM_MISSING, "$..cluster is 2 values; expected one cluster")


def test_a_path_that_cannot_be_applied_names_no_task() -> None:
    found = _proven({"ecs": TASK, "names": ["x"]}, EcsClaims(cluster="$.names[?@ contains 7]"))
    assert isinstance(found, Refusal)
    assert found.reason is R.MALFORMED


def test_another_issuers_token_makes_no_task_though_it_says_the_same() -> None:
    bundle = TrustBundle(issuers=(TASKS.issuer(), CORP.issuer()))
    claimed = next(one for kind, one in IDENTITIES.items() if kind.value == "ecs")
    for issuer, reason in (("corp", R.IDENTITY_MISMATCH), ("tasks", R.UNKNOWN_ISSUER)):
        shown = Credential(jwt=JwtCredential(issuer=issuer, token=CORP.token(ecs=TASK)))
        found = verify(bundle, shown, claimed, NOW, SESSION)
        assert isinstance(found, Refusal)
        assert found.reason is reason


def test_another_task_is_not_the_one_that_the_token_is_of() -> None:
    bundle = TrustBundle(issuers=(TASKS.issuer(),))
    claimed = next(one for kind, one in IDENTITIES.items() if kind.value == "ecs")
    for part, value in (("task_id", "0" * 32), ("cluster", "other"), ("account", "9" * 12), ("zone", "us-east-2c")):
        shown = Credential(jwt=JwtCredential(issuer="tasks", token=TASKS.token(ecs=TASK | {part: value})))
        found = verify(bundle, shown, claimed, NOW, SESSION)
        assert isinstance(found, Refusal)
        assert found.reason is R.IDENTITY_MISMATCH
