"""Whole networks in one process: one seed is one schedule and one log."""
