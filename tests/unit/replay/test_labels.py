"""Selectors mean what they mean in kubectl."""

import pytest

from services.replay.labels import LabelError, labels, parts

OBJECT = {"app": "ratings", "version": "v5", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("app=ratings", True),
        ("app==ratings,version=v6", False),
        ("version!=v6", True),
        ("tier!=front", True),
        ("version in (v5, v6),app", True),
        ("version notin (v5,v6)", False),
        ("tier notin (front)", True),
        ("!tier,empty=", True),
        ("tier", False),
        ("!app", False),
        ("app.kubernetes.io/managed-by=muster", False),
    ],
)
def test_a_selector_matches_as_in_kubectl(selector: str, *, meant: bool) -> None:
    assert labels(parts([selector])).match(OBJECT) is meant


@pytest.mark.parametrize("selector", ["=v", "a b", "a in v", "a in (b", "a=b=c"])
def test_what_is_no_selector_is_an_error(selector: str) -> None:
    with pytest.raises(LabelError, match="expected NAME=VALUE"):
        labels(parts([selector]))
