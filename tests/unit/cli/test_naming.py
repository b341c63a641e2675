import pytest

from schemas.names import WorkloadKey
from services.cli.naming import AmbiguousWorkloadError, Asked, NoSuchWorkloadError, chosen

ANN = WorkloadKey("bookinfo", "ratings", "jwt-corp--ann")
BOB = WorkloadKey("bookinfo", "ratings", "jwt-corp--bob")
ELSEWHERE = WorkloadKey("payments", "ratings", "jwt-corp--ann")
ALL = (ANN, BOB, ELSEWHERE)


@pytest.mark.parametrize("name", ["ratings-jwt-corp--bob", "jwt-corp--bob", "bookinfo/ratings/jwt-corp--bob"])
def test_a_workload_is_found_by_its_object_its_identity_or_its_key(name: str) -> None:
    assert chosen(Asked(name, None), ALL) == BOB


def test_a_namespace_tells_two_of_one_name_apart() -> None:
    assert chosen(Asked("jwt-corp--ann", "payments"), ALL) == ELSEWHERE


def test_an_ambiguous_name_is_refused_with_the_candidates() -> None:
    with pytest.raises(AmbiguousWorkloadError) as raised:
        chosen(Asked("jwt-corp--ann", None), ALL)
    assert str(raised.value) == (
        "jwt-corp--ann is the name of 2 workloads; say which, by -n or by its key:\n"
        "  bookinfo/ratings/jwt-corp--ann\n  payments/ratings/jwt-corp--ann"
    )


@pytest.mark.parametrize(
    ("asked", "candidate"),
    [
        (Asked("jwt-corp--bpb", None), BOB),
        (Asked("bob", None), BOB),
        (Asked("jwt-corp--bob", "payments"), BOB),
    ],
)
def test_an_unknown_name_is_refused_with_those_like_it(asked: Asked, candidate: WorkloadKey) -> None:
    with pytest.raises(NoSuchWorkloadError) as raised:
        chosen(asked, ALL)
    assert f"no workload is called {asked.name}" in str(raised.value)
    assert "/".join(candidate) in str(raised.value)


def test_many_candidates_are_not_all_listed() -> None:
    crowd = [WorkloadKey("bookinfo", "ratings", f"jwt-corp--ann-{number}") for number in range(9)]
    with pytest.raises(NoSuchWorkloadError, match="and 4 more"):
        chosen(Asked("jwt-corp--ann", None), crowd)


def test_a_whole_key_is_taken_though_nobody_knows_it_any_more() -> None:
    assert chosen(Asked("a/b/c", None), ()) == WorkloadKey("a", "b", "c")
    with pytest.raises(NoSuchWorkloadError, match="not in namespace x"):
        chosen(Asked("a/b/c", "x"), ())
