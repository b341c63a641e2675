"""What an operator should know of the world, said once in the log and always in the metrics."""

import structlog

from services.sink import metrics
from services.sink.state import Place, State

NAMED = 10
"""So many registrations that are left alone are named in the log; there may be thousands."""


class Notices:
    """What was said already."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._orphans: list[Place] = []
        self._unread: set[tuple[Place, str]] = set()
        self._log = structlog.get_logger()

    def look(self) -> None:
        """Say what is new."""
        self._look_at_orphans()
        self._look_at_policies()

    def _look_at_orphans(self) -> None:
        orphans = self.state.orphans()
        metrics.ORPHANS.set(len(orphans))
        if orphans != self._orphans:
            self._orphans = orphans
            named = ["/".join(name) for name in orphans[:NAMED]]
            words = "registrations that the log does not know are left alone"
            self._log.warning(words, count=len(orphans), some=named)

    def _look_at_policies(self) -> None:
        unread = self.state.unread_policies()
        metrics.UNREAD.set(len(unread))
        for (namespace, name), field in unread:
            if ((namespace, name), field) not in self._unread:
                words = "an OnboardingPolicy is not understood and allows nobody: update the sink"
                self._log.warning(words, namespace=namespace, name=name, field=field)
        self._unread = set(unread)
