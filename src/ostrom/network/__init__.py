"""A whole network on one machine: a chain, and every party's node as a process of its own."""
