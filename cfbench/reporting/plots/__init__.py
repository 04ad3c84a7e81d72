"""Plots by matplotlib, the optional extra ``plots``: imported where something is drawn, byte-stable."""
