"""The services: agent, processor, sink, the local stack and the command line, over one plumbing (ADR 0006)."""
