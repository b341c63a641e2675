"""Real faults on real parts: what is sent, what is decided, and whether anybody was wronged (``make chaos``)."""
