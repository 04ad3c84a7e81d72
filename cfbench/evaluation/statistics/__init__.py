"""Statistics: bootstrap intervals, jackknife, significance tests, ranks over data sets."""
