"""What the sink says of the world: once in the log, and always in its metrics."""

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.sink.notices import Notices
from services.sink.ports import Kind
from services.sink.state import State
from tests.support.policies import policy


def _unread() -> float | None:
    return REGISTRY.get_sample_value("muster_sink_policies_not_understood")


def test_a_policy_that_is_not_understood_is_said_once_and_counted_until_it_is() -> None:
    state = State()
    notices = Notices(state)
    about = {"resourceVersion": "1", "uid": "u"}
    newer, known = policy("bookinfo", "newer", deny=[]), policy("payments")
    state.replace(Kind.POLICY, [{**one, "metadata": {**one["metadata"], **about}} for one in (newer, known)], "1")
    with capture_logs() as logs:
        notices.look()
        notices.look()
    [said] = logs
    assert (said["namespace"], said["name"]) == ("bookinfo", "newer")
    assert said["field"] == "spec.deny: a field that is not known"
    assert _unread() == 1
    mended = policy("bookinfo", "newer")
    state.put(Kind.POLICY, {**mended, "metadata": {**mended["metadata"], **about, "resourceVersion": "2"}})
    with capture_logs() as logs:
        notices.look()
    assert not logs
    assert _unread() == 0
