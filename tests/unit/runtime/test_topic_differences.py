import pytest

from schemas.topics import EVENTS, TopicDefinition
from services.runtime.topic_differences import FoundTopic, Outcome, compare, explained

WANTED = TopicDefinition(EVENTS, 4, {"cleanup.policy": "delete"})


def test_a_topic_as_defined_is_fine_whatever_else_the_cluster_sets() -> None:
    result = compare(WANTED, FoundTopic(4, {"cleanup.policy": "delete", "segment.bytes": "1"}), "k:1")
    assert (result.outcome, result.fine) == (Outcome.EXISTS, True)
    assert explained([result]) == []


def test_a_missing_topic_is_not_fine() -> None:
    result = compare(WANTED, None, "k:1")
    assert not result.fine
    assert explained([result]) == ["  muster.events: missing; create it with: muster topics apply"]


@pytest.mark.parametrize(("found", "shown"), [({"cleanup.policy": "compact"}, "compact"), ({}, "unset")])
def test_a_setting_that_differs_is_told_with_the_command_that_mends_it(found: dict[str, str], shown: str) -> None:
    result = compare(WANTED, FoundTopic(4, found), "k:1")
    expected = (
        f"  muster.events: cleanup.policy is {shown}, expected delete; mend it with: kafka-configs.sh "
        "--bootstrap-server k:1 --alter --entity-type topics --entity-name muster.events "
        "--add-config cleanup.policy=delete"
    )
    assert explained([result]) == [expected]


@pytest.mark.parametrize(("found", "words"), [(2, "--alter --partitions 4"), (8, "--partitions 8 here")])
def test_partitions_are_mended_by_growing_an_empty_topic_or_by_taking_them_as_they_are(found: int, words: str) -> None:
    [line] = explained([compare(WANTED, FoundTopic(found, WANTED.config), "k:1")])
    assert f"partitions is {found}, expected 4" in line
    assert words in line
