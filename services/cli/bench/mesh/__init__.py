"""``muster bench load``: all of Muster under load, as its users see it: agents at one end, kubectl at the other.

Its one rule: what is timed is read in Kubernetes, and the costs are those of whole processes.
"""
