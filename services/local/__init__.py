"""The local stack: a real Kafka and a real Kubernetes API as child processes, without Docker (ADR 0005).

Its one rule: nothing started here outlives the process that started it, however that process ends.
"""
