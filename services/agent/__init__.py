"""The agent: runs on the machine, says who it is, keeps its session alive, and starts the sidecar it is given.

``core`` decides what is said and when; everything else here carries values in and out. The agent trusts its own
clock for nothing but display (DESIGN.md, "The shape").
"""
