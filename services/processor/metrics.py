"""What the processor counts, for /metrics."""

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("muster_processor_records", "Records folded, also those told again after a restart")
EFFECTS = Counter("muster_processor_effects", "Records written, by topic", ["topic"])
IGNORED = Counter("muster_processor_ignored", "Well-formed events that changed nothing, by rule", ["rule"])
REJECTED = Counter("muster_processor_rejected", "Records written to muster.rejected, by reason", ["reason"])
TICKS = Counter("muster_processor_ticks", "Control records appended, by type", ["type"])
TICK_FAILURES = Counter("muster_processor_tick_failures", "Control records that could not be appended; retried")
TICK_SECONDS = Histogram("muster_processor_tick_seconds", "From the append of a tick to Kafka's acknowledgement")
ROLE_CHECKS = Counter("muster_processor_role_checks", "Roles asked of STS, by what it said", ["outcome"])
LAG = Gauge("muster_processor_lag", "Records of the partition that are not folded yet", ["partition"])
WINDOW = Gauge("muster_processor_window", "Number of the open window", ["partition"])
BRAKED = Gauge("muster_processor_braked", "1 while marking absent is suspended", ["partition"])
WORKLOADS = Gauge("muster_processor_workloads", "Workloads, by presence", ["partition", "presence"])
COMMITTED = Gauge("muster_processor_committed", "Offset a new owner would read from", ["partition"])

_PRESENCES = ("connected", "unknown", "absent")


def forget(partition: int) -> None:
    """Drop the gauges of a partition that another worker owns now."""
    number = str(partition)
    for gauge in (LAG, WINDOW, BRAKED, COMMITTED):
        with suppress(KeyError):
            gauge.remove(number)
    for presence in _PRESENCES:
        with suppress(KeyError):
            WORKLOADS.remove(number, presence)
