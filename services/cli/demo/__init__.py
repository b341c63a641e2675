"""``muster demo``: the guided tour, on a real Kafka and a real Kubernetes API.

Its one rule: it shows what the programs really print and checks that it is so; timings are shortened by configuration,
never by other code paths.
"""
