"""What the sink decides: values in, values out. Nothing here knows Kafka, a client of Kubernetes, or a clock."""
