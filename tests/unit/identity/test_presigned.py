"""Signatures that AWS published for its own test suite, and in its documentation: ours are the same."""

from datetime import UTC, datetime

import pytest

from services.identity.core.presigned import Keys, Request, url

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's example
PLAIN = Keys("AKIDEXAMPLE", SECRET)
TEMPORARY = PLAIN._replace(token="6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")  # noqa: S106 - likewise
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# awslabs/aws-c-auth, tests/aws-signing-test-suite/v4: query-signature.txt of each.
VECTORS: dict[str, tuple[Keys, dict[str, object], str]] = {
    "get-vanilla": (PLAIN, {}, "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
    "get-vanilla-query-order-key-case": (
        PLAIN,
        {"query": [("Param2", "value2"), ("Param1", "value1")]},
        "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
    ),
    "get-vanilla-query-unreserved": (
        PLAIN,
        {"query": [(UNRESERVED, UNRESERVED)]},
        "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf",
    ),
    "get-header-value-trim": (
        PLAIN,
        {"headers": {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}},
        "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
    ),
    "get-utf8": (PLAIN, {"path": "/ሴ"}, "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44"),
    "get-vanilla-with-session-token": (
        TEMPORARY,
        {},
        "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_request_of_awss_test_suite_has_its_signature(name: str) -> None:
    keys, parts, signature = VECTORS[name]
    request = Request("example.amazonaws.com", "us-east-1", "service")._replace(**parts)  # type: ignore[arg-type]
    assert url(keys, request, AT, 3600).endswith(f"&X-Amz-Signature={signature}")


def test_the_example_of_the_documentation_of_s3_has_its_url() -> None:
    """S3 signs "UNSIGNED-PAYLOAD" where others sign the hash of an empty body."""
    keys = Keys("AKIAIOSFODNN7EXAMPLE", SECRET.replace("+", "/"))
    request = Request("examplebucket.s3.amazonaws.com", "us-east-1", "s3", path="/test.txt")
    assert url(keys, request, datetime(2013, 5, 24, tzinfo=UTC), 86400, "UNSIGNED-PAYLOAD") == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
