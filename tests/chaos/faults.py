"""Every fault by its name, in the order they are made."""

from collections.abc import Mapping

from tests.chaos import network, parts, pressure
from tests.chaos.links import Weather
from tests.chaos.trial import Act

FAULTS: Mapping[str, Act] = {
    "processor-kill": parts.processor_kill,
    "processor-freeze": parts.processor_freeze,
    "rolling-restart": parts.rolling_restart,
    "sink-kill": parts.sink_kill,
    "sink-freeze": parts.sink_freeze,
    "sink-out-of-date": pressure.sink_out_of_date,
    "fleet-kill": parts.fleet_kill,
    "fleet-freeze": parts.fleet_freeze,
    "broker-kill": parts.broker_kill,
    "broker-freeze": parts.broker_freeze,
    "broker-outage": parts.broker_outage,
    "disk-full": parts.disk_full,
    "apiserver-kill": parts.apiserver_kill,
    "apiserver-freeze": parts.apiserver_freeze,
    "api-throttled": pressure.api_throttled,
    "conflict-storm": pressure.conflict_storm,
    "large-lists": pressure.large_lists,
    "slow-agents": network.slow("fleet", "Agents and broker"),
    "slow-processor": network.slow("processor", "Processor and broker"),
    "slow-sink": network.slow("sink", "Sink and broker"),
    "slow-apiserver": network.slow("kube", "Sink and API server"),
    "agents-cut-off": network.partition(Weather(shut=True), "their connections reset"),
    "agents-unheard": network.partition(Weather(silent=True), "in silence"),
    "thundering-return": parts.thundering_return,
}


def words(name: str) -> str:
    """Return what a fault is."""
    return (FAULTS[name].__doc__ or "").splitlines()[0]
