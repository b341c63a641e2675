"""What the sink tells Prometheus."""

from prometheus_client import Counter, Gauge

RECONCILES = Counter("muster_sink_reconciles", "Workloads looked at.")
ACTIONS = Counter("muster_sink_actions", "Actions carried out, by kind.", ["kind"])
RETRIES = Counter("muster_sink_retries", "Workloads put back, by reason.", ["reason"])
QUEUE = Gauge("muster_sink_queue_depth", "Workloads that wait to be looked at.")
REJECTED = Counter("muster_sink_rejected", "Records written to muster.rejected.", ["reason"])
ORPHANS = Gauge("muster_sink_orphans", "Registrations of workloads that the log does not know; left alone.")
UNREAD = Gauge("muster_sink_policies_not_understood", "OnboardingPolicies of a newer version: they allow nobody.")
RELISTS = Counter("muster_sink_relists", "Lists because a watch could not go on.", ["kind"])
WRITES = Counter("muster_sink_writes", "Writes to Kubernetes, by what came of them.", ["kind", "outcome"])
BUDGET = Gauge("muster_sink_write_budget", "Writes per second that are allowed.")
HELD = Counter("muster_sink_write_wait_seconds", "How long writes waited for the budget, in all.")
THROTTLED = Counter("muster_sink_throttled", "Answers of Kubernetes that asked to wait: 429, or 503 with Retry-After.")
SILENT = Gauge("muster_sink_fleet_silent", "Workloads that are silent, and not for a goodbye.")
DOUBTED = Gauge("muster_sink_fleet_doubted", "1 while so many are silent that nothing is taken from them.")
ATTEMPTS = Gauge("muster_sink_attempts", "OnboardingAttempts that are shown, or are about to be.")
UNSHOWN = Counter("muster_sink_unshown", "Refusals that found no room among the OnboardingAttempts.", ["reason"])
UNTOLD = Counter("muster_sink_untold", "Writes that are not told in muster.actions: too many waited for Kafka.")
REFUSED = Counter("muster_sink_refused", "Answers to sessions that the processor refused.", ["reason"])
