"""What is raised where the world is not as it must be."""


class Broken(Exception):  # noqa: N818 - what is broken is an invariant
    """An invariant does not hold: its words begin with its kind and a colon."""

    def __init__(self, words: str, key: bytes = b"") -> None:
        """``key`` is of the workload that it is about, where it is about one."""
        super().__init__(words)
        self.key = key

    @property
    def kind(self) -> str:
        """Which invariant it is."""
        return str(self).partition(":")[0]


def name_of(key: bytes) -> str:
    """Return by which digits a workload is told."""
    return key.decode()[-3:]
