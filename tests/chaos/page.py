"""The page that is kept of the faults and what came of them (``deploy/chaos.md``)."""

from collections.abc import Mapping, Sequence
from datetime import date

from schemas import topics
from tests.chaos.parts import WITNESSES
from tests.chaos.report import machine, number, seconds, verdicts
from tests.chaos.small import PARTITIONS, SIZE
from tests.chaos.trial import Figures
from tests.integration.processes import HEARTBEAT_S, RULES

HEAD = (
    "fault",
    "what was done",
    "lasted",
    "events sent",
    "verdicts",
    "false absents",
    "false removals",
    "detect",
    "endpoint",
    "recover",
    "no traffic",
    "restarts",
    "sink's writes",
    "accounts",
)
PAGE = """# Real faults on real parts

`make chaos` runs every part of Muster as a process of its own, with a real Kafka, a real Kubernetes API and a network
between them that can be made worse, lets the faults happen one by one, and judges each verdict by the truth about the
agents: who did it knows when each of them could be heard. This page is written by `make chaos WRITE=deploy/chaos.md`.
A fault that is made again (`FAULTS=…`) replaces its own row; without `FAULTS` all rows are of one run.

{workloads} workloads over {large} partitions, one a real `muster agent` and the others of `muster fleet`, signed by a
mint, with a link on every heartbeat (one each {heartbeat:g} s); windows of {window:g} s, absent after {missed} missed
windows, removed {grace} windows later. With windows of 10 s what waits for windows takes ten times as long.
Measured on {date}: {machine}.
The machine was shared with other work, so look at the counts and at what a time is made of, not at tenths of seconds.

- **lasted**: from the fault until it was over. Where a fault hits no agent by itself, {witnesses} agents die at the
  moment it strikes: to notice them is the work that the fault disturbs.
- **events sent**: by agents, from before the fault until all accounts agreed again.
- **detect**: from the fault until `kubectl get war` says of everybody who is not there that the agent is not connected.
- **endpoint**: from the fault until no endpoint of theirs gets traffic (as istiod reads the WorkloadEntry).
  Where all fall silent at once nobody can tell (`Unknown`), and endpoints stay what they are.
- **recover**: from the end of the fault until Kubernetes says of everybody, registration and endpoint, what is true.
- **false**: called absent, or removed, although it could be heard for a whole window of those it is said to have
  missed; where all fall silent at once, to call any of them absent is false too.
- **small-…**: {small} workloads over {partitions} partitions in an arena of their own: too few in each for a brake. The
  log calls machines absent and removed that live, and the verdicts are told as they are; the sink must not act on them
  ([ADR 0016](adr/0016-doubt-of-the-whole-fleet.md)). So the living are judged by Kubernetes in these rows: a false
  removal is a registration that is gone or has another uid, a false absent an endpoint without traffic when the fault
  was over. **no traffic**: so many endpoints had none at one time, of the first who fell silent, until most had.
  With `fleet.silent_least` at 1,000, the sink never doubting, both cuts took all 36 registrations (tried by hand).
- After each fault the oracle's fold of the log, `muster.workloads`, Kubernetes and the answers to the agents must
  agree field by field, and every endpoint's health with its registration; and `muster replay` of the whole log must be
  `muster.workloads` exactly. What differs makes the row `broken`.

{head}
{rows}

{events:,} events of agents, {judged:,} verdicts (without those of the rows that are judged by Kubernetes),
**{absents} false absents, {removals} false removals**.

What these faults found in November 2026, the first two mended and tested since:

- A cut inside a window let up to the brake's share be called absent one window before the brake held.
- When the brake let go, who came back a window after most was called absent (14 of 120 in a thundering return).
- On a machine with three times the work it has cores for, three faults did not end in time, with no false verdict: a
  processor that awoke from its freeze could not drain within 10 s and ended with an error, agents were back before all
  registrations said that they were away, and with 1,600 foreign registrations the killed sink was not back in time.
"""


def page(found: Sequence[Figures], workloads: int, words: Mapping[str, str], today: date) -> str:
    """Return the page; ``words`` say of each fault what is done."""
    return PAGE.format(
        head=f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|",
        workloads=workloads,
        window=RULES.window_ms / 1000,
        heartbeat=HEARTBEAT_S,
        missed=RULES.missed_windows,
        grace=RULES.grace_windows,
        date=today,
        machine=machine(),
        witnesses=WITNESSES,
        large=topics.DEFAULT_PARTITIONS,
        small=SIZE,
        partitions=PARTITIONS,
        rows="\n".join(_row(one, words[one.fault]) for one in found),
        events=sum(one.events for one in found),
        judged=sum(sum(one.verdicts.values()) for one in found if not one.by_kubernetes),
        absents=sum(one.false_absents for one in found),
        removals=sum(one.false_removals for one in found),
    )


def _row(one: Figures, words: str) -> str:
    if one.skipped:
        return f"| {one.fault} | {words} | skipped: {one.skipped} {'|' * (len(HEAD) - 2)}"
    cells = (
        one.fault,
        words,
        seconds(one.outage_s),
        f"{one.events:,}",
        verdicts(one),
        str(one.false_absents),
        str(one.false_removals),
        seconds(one.detect_s),
        seconds(one.endpoint_s),
        seconds(one.recover_s),
        number(one.without_traffic),
        str(one.restarts),
        str(one.writes),
        "broken" if one.broken else "agree",
    )
    return f"| {' | '.join(cells)} |"
