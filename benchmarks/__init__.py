"""Every number that Ostrom claims, printed by a script: `python -m benchmarks`."""
