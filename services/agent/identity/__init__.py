"""Where the agent learns who its machine is: one port, and one module for each source."""
