"""Execution of cells: each in a process of its own, under limits; executors."""
