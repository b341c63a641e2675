"""What a new owner takes from the changelog of a partition."""

import pytest

from services.processor.changelog import Changelog, ChangelogError, revision_of, to_headers


def test_the_newest_revision_holds_and_not_the_latest_record() -> None:
    """A zombie owner writes late what its successor has long gone past."""
    changelog = Changelog()
    changelog.apply(0, b"a", b"at 5", 5)
    changelog.apply(1, b"a", b"at 9", 9)
    changelog.apply(2, b"a", b"at 5", 5)
    assert dict(changelog.rows()) == {b"a": b"at 9"}


def test_a_late_row_does_not_bring_back_what_was_deleted_since() -> None:
    changelog = Changelog()
    changelog.apply(0, b"a", b"at 5", 5)
    changelog.apply(1, b"a", None, 9)
    changelog.apply(2, b"a", b"at 5", 5)
    assert dict(changelog.rows()) == {}


def test_a_late_deletion_does_not_delete_a_newer_row() -> None:
    changelog = Changelog()
    changelog.apply(0, b"a", b"at 9", 9)
    changelog.apply(1, b"a", None, 5)
    assert dict(changelog.rows()) == {b"a": b"at 9"}


def test_reading_goes_on_after_the_last_record_applied() -> None:
    changelog = Changelog()
    assert changelog.read == -1
    changelog.apply(7, b"a", b"", 3)
    assert changelog.read == 7


def test_a_revision_comes_back_from_the_headers_as_it_went_in() -> None:
    assert revision_of(to_headers(123_456), "somewhere") == 123_456


@pytest.mark.parametrize("headers", [None, [], [("other", b"1")], [("revision", b"-1")], [("revision", b"x")]])
def test_a_record_that_no_processor_wrote_is_named_with_its_place(headers: object) -> None:
    with pytest.raises(ChangelogError, match=r"presence\[2\] offset 5 has no header 'revision'"):
        revision_of(headers, "presence[2] offset 5")
