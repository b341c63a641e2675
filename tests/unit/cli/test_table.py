from datetime import timedelta

import pytest

from services.cli.table import age, fitting, shortened, table


def test_a_table_looks_like_kubectls() -> None:
    assert table(("NAMESPACE", "NAME", "AGE"), [("bookinfo", "a-very-long-name", "3s"), ("x", "y", "10m")]) == [
        "NAMESPACE   NAME               AGE",
        "bookinfo    a-very-long-name   3s",
        "x           y                  10m",
    ]


def test_a_table_too_wide_for_the_terminal_loses_the_middle_of_names_and_no_column() -> None:
    lines = fitting(("NS", "NAME", "AGENT CONNECTED"), [("a", "ratings-aws-aws-1-ec2-i-0123456789", "True")], 40)
    assert lines == ["NS   NAME                AGENT CONNECTED", "a    rating…0123456789   True"]


def test_a_table_that_fits_is_whole() -> None:
    assert fitting(("NS", "NAME"), [("a", "b")], 80) == ["NS   NAME", "a    b"]


@pytest.mark.parametrize(("width", "expected"), [(9, "abc…fghij"), (1, "…"), (10, "abcdefghij")])
def test_a_shortened_text_has_its_ends(width: int, expected: str) -> None:
    assert shortened("abcdefghij", width) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # from the tests of k8s.io/apimachinery/pkg/util/duration
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (1, "1s"),
        (70, "70s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (10 * 60, "10m"),
        (47 * 60, "47m"),
        (179 * 60, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (2 * 86400, "2d"),
        (9 * 86400 + 7200, "9d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_an_age_is_shortened_in_kubectls_steps(seconds: int, expected: str) -> None:
    assert age(timedelta(seconds=seconds)) == expected
