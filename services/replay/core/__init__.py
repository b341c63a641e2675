"""Telling from the log what was decided and why: a pure reading of the processor's own fold.

Nothing here reads a clock, chance, the environment or the network; import-linter keeps it so.
"""
