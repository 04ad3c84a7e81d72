"""Lists for one user of a finished run, or for somebody new."""
