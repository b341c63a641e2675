"""``muster processor`` with a mishap built in, started as a program: ``worker.py MISHAP RECORDS processor …``.

It ends, fails or dawdles in the fold itself, at a record that the test chose: in mid-chunk. A dawdler hurries
once the file of the environment's ``HURRY`` exists: how long others take to join its group is not ours to guess.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.cli.main import main
from services.processor.core.record import Appended, Effect
from services.processor.core.roll import Roll

MISHAP, RECORDS = sys.argv.pop(1), int(sys.argv.pop(1))
HURRY = Path(os.environ["HURRY"])
folded = 0
fold_all = Roll.fold_all


def mishap(self: Roll, records: Sequence[Appended]) -> Iterator[tuple[int, Sequence[Effect]]]:
    """Fold record by record, and after so many let happen what was asked for."""
    global folded  # noqa: PLW0603 - counts over all partitions of the process
    for record in records:
        folded += 1
        if MISHAP == "slow" and not HURRY.exists():
            time.sleep(1 / RECORDS)
        elif folded > RECORDS and MISHAP == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif folded > RECORDS and MISHAP == "fail":
            raise ArithmeticError(f"a bug shows at offset {record.offset}")
        yield from fold_all(self, [record])


Roll.fold_all = mishap  # type: ignore[method-assign]
main()
