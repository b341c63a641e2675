"""The command line ``muster``, for people."""
