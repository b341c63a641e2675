"""Who is present: a pure fold over the records of one partition of ``muster.events``.

Nothing here reads a clock, chance, the environment or the network; import-linter keeps it so.
"""
