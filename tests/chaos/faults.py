"""Every fault by its name, in the order they are made."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.chaos import disk, network, parts, pressure, small
from tests.chaos.links import Weather
from tests.chaos.trial import Act


class Fault(NamedTuple):
    """What is done, and to whom."""

    act: Act
    small: bool = False
    """It befalls a fleet too small for the brake, in an arena of its own."""


FAULTS: Mapping[str, Fault] = {
    "processor-kill": Fault(parts.processor_kill),
    "processor-freeze": Fault(parts.processor_freeze),
    "rolling-restart": Fault(parts.rolling_restart),
    "sink-kill": Fault(parts.sink_kill),
    "sink-freeze": Fault(parts.sink_freeze),
    "sink-out-of-date": Fault(pressure.sink_out_of_date),
    "fleet-kill": Fault(parts.fleet_kill),
    "fleet-freeze": Fault(parts.fleet_freeze),
    "agent-kill": Fault(parts.agent_kill),
    "agent-freeze": Fault(parts.agent_freeze),
    "broker-kill": Fault(parts.broker_kill),
    "broker-freeze": Fault(parts.broker_freeze),
    "broker-outage": Fault(parts.broker_outage),
    "disk-full": Fault(disk.disk_full),
    "disk-full-enospc": Fault(disk.disk_full_enospc),
    "apiserver-kill": Fault(parts.apiserver_kill),
    "apiserver-freeze": Fault(parts.apiserver_freeze),
    "api-throttled": Fault(pressure.api_throttled),
    "conflict-storm": Fault(pressure.conflict_storm),
    "large-lists": Fault(pressure.large_lists),
    "slow-agents": Fault(network.slow("fleet", "Agents and broker")),
    "slow-processor": Fault(network.slow("processor", "Processor and broker")),
    "slow-sink": Fault(network.slow("sink", "Sink and broker")),
    "slow-apiserver": Fault(network.slow("kube", "Sink and API server")),
    "agents-cut-off": Fault(network.partition(Weather(shut=True), "their connections reset")),
    "agents-unheard": Fault(network.partition(Weather(silent=True), "in silence")),
    "thundering-return": Fault(parts.thundering_return),
    "small-cut-off": Fault(small.cut_off, small=True),
    "small-cut-off-bit-by-bit": Fault(small.bit_by_bit, small=True),
    "small-returning-by-halves": Fault(small.returning_by_halves, small=True),
    "small-fleet-kill": Fault(small.truly_dead, small=True),
}


def words(name: str) -> str:
    """Return what a fault is."""
    return (FAULTS[name].act.__doc__ or "").splitlines()[0]
