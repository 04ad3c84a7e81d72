"""Splitters: a data set divided into training and test rows."""
