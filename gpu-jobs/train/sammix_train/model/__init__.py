"""The three networks, their checkpoints, and the map that becomes a prompt."""
