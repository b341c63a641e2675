"""Process plumbing without a domain: configuration, logs, health, shutdown, Kafka's clients and topics."""
