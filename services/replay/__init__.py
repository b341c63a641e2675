"""What people do with the topics afterwards: read a range, record it, and fold it again by the processor's own core.

Nothing here writes to a cluster; import-linter keeps it so.
"""
