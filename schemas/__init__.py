"""The wire: every message, key, name and topic of Muster, and nothing that decides.

The words used here are defined once, in ``schemas/GLOSSARY.md``. Depends on nothing else of ours.
"""
