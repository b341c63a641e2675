"""The real cores of agent, processor and sink in one deterministic world, and everything that may befall it."""
