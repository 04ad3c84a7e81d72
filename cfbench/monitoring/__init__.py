"""Monitoring of a run: progress, time left, timing, logs, trackers."""
