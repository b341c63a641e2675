"""What the agent and the fleet count, for /metrics."""

from prometheus_client import Counter

EVENTS = Counter("muster_agent_events", "Events delivered to Kafka, by type", ["type"])
DROPPED = Counter("muster_agent_heartbeats_dropped", "Heartbeats dropped because Kafka was unreachable")
ANSWERS = Counter(
    "muster_agent_answers", "Answers read for our keys, by type; other is what could not be read", ["type"]
)
SESSIONS = Counter("muster_agent_sessions", "Sessions begun; all but the first of an agent are reconnects")
