"""What decides in the agent: the session as a table, and its pacing; pure functions of values."""
