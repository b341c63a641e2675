"""The page that is kept of many seeds (``deploy/simulation.md``): what befell the worlds, and what came of it."""

import inspect
from collections.abc import Iterable, Mapping
from datetime import date

from services.cli.bench.mesh.report import machine
from tests.sim.endpoints import SLACK_MS
from tests.sim.figures import Figures
from tests.sim.mutations import KINDS, MUTATIONS, caught
from tests.sim.processors import RULES
from tests.sim.world import CALM_MS, END_MS

PARTS: Mapping[str, str] = {
    "agent": "a machine dies, restarts, says goodbye, loses its disk, comes back with another address and label, or "
    "after its removal, or dies in the calm; its records are late, doubled or out of order; its clock is wrong; it, or "
    "all of them, cannot reach the broker",
    "twin": "another machine shows the same credential, beside the living one or while that one is missed",
    "forge": "records by somebody without the credential or the links: heartbeats, goodbyes, connects; stolen "
    "credentials; records written again byte by byte",
    "processor": "a worker crashes at any point, between apply, send and commit too; is paused, slow, cut off, a "
    "zombie that writes late; two believe to own one partition",
    "group": "partitions move",
    "broker": "the broker is away, or takes records and does not answer; its log is compacted",
    "changelog": "the table's log is compacted",
    "sink": "the sink crashes at any point, is paused, or cut off; a second one runs beside it, is frozen and thawed, "
    "or takes over while the first is asleep in a deletion",
    "api": "the API server is away, fails now and then, is busy (429 with Retry-After), forgets old versions (410)",
    "watch": "watches lag behind",
    "policy": "the policy by which all joined is deleted, or edited so that it means others",
    "user": "people delete registrations, note on them while the sink writes, hold them by a finalizer, edit and "
    "delete groups, release the brake",
}

PAGE = """# Simulated worlds

`muster sim` lets the real cores of agent, processor and sink live in one world with virtual time, a log with Kafka's
semantics and an API server with Kubernetes'; both fakes pass the contract tests that the real Kafka and the real
kube-apiserver pass (`tests/contract`). Everything that befalls a world follows from its seed: `muster sim --seed N`
is the same world again, and of one that fails the fewest faults that still make it fail are told.

Written on {date} by `muster sim {seeds_told} --write deploy/simulation.md`, on {machine}:
{jobs} processes, {minutes:.0f} minutes.

| | |
| --- | --- |
| worlds (seeds) | {seeds:,} |
| time that passed in them | {hours:,.1f} h |
| records of agents, owners, operators, intruders and the sink | {events:,} |
| faults | {faults:,} |
| verdicts told | {verdicts} |
| **false verdicts**: said of who was heard or cut off with most, by a void window, or by an intruder's word | {false} |
| **worlds in which an invariant broke** | {broken} |

Up to six machines and two intruders in a world, {window:g} ms windows, absent after {missed}, removed {grace} later;
faults in the first {calm:g} s, judged for {end:g} s.

## What befell them

| part | faults | what happens |
| --- | --- | --- |
{parts}

## What is checked

At every step, of what is told: nobody is absent or removed but after as many windows without a word as the rules ask
for, counted on the log; none by a window whose owner changed; none by a forger; nobody takes the place of a living
session but its own machine. And, knowing the machines: nobody is called absent who lives and was cut off together with
so many of its partition that the brake must hold.

At every write to Kubernetes: nobody stands there who proved nothing or whom no policy allowed; a snapshot of a group
never changes; a registration never goes back to an older state, and is deleted only where that very session was told
to be removed, where a user deleted it or its group, or where policies expelled it then; an endpoint loses its traffic
only by a verdict of absence that was told, never by doubt, and goes only with its registration; what people noted on an
object stays. In the calm, the endpoint of a dead machine gets no traffic from {slack:g} s after the tick that is due,
long before it is removed.

At the end: what was told is the oracle's fold of the log; Kubernetes is what was told, and has the address, labels and
versions that the agents reported last; who lives is registered (anew, where its registration was deleted), who is dead
is gone after its grace. Over its whole life a world saw no more writes than its transitions and its users gave reason
for, and in the quiet at the end none at all.

## That it can fail

Each of these is a core with one rule taken out; the seed is of a world that shows it, and the invariant is the one that
must notice, where it is told.

| without the rule | caught by seed | as |
| --- | --- | --- |
{mutations}
"""


def page(figures: Figures, seconds: float, jobs: int, seeds_told: str, today: date) -> str:
    """Return the page; it runs the mutations, which takes a minute or two."""
    return PAGE.format(
        date=today,
        machine=machine(),
        jobs=jobs,
        minutes=seconds / 60,
        seeds_told=seeds_told,
        seeds=figures.seeds,
        hours=figures.virtual_ms / 3_600_000,
        events=figures.events,
        faults=figures.faults.total(),
        verdicts=", ".join(f"{count:,} {kind}" for kind, count in sorted(figures.verdicts.items())),
        false=figures.false,
        broken=", ".join(f"{seed}: {words}" for seed, words in sorted(figures.broken.items())) or 0,
        window=RULES.window_ms,
        missed=RULES.missed_windows,
        grace=RULES.grace_windows,
        calm=CALM_MS / 1000,
        slack=SLACK_MS / 1000,
        end=END_MS / 1000,
        parts="\n".join(_parts(figures)),
        mutations="\n".join(_mutations()),
    )


def _parts(figures: Figures) -> Iterable[str]:
    for part, words in PARTS.items():
        kinds = {kind: count for kind, count in sorted(figures.faults.items()) if kind.partition(".")[0] == part}
        told = ", ".join(f"{kind.partition('.')[2]} {count:,}" for kind, count in kinds.items())
        yield f"| {part} | {told or 'none'} | {words} |"


def _mutations() -> Iterable[str]:
    for mutation in MUTATIONS:
        yield f"| {inspect.getdoc(mutation)} | {caught(mutation)} | {KINDS.get(mutation.__name__, '')} |"
