"""Thin adapters over the Surprise library: it learns, vectorised formulas over its learned arrays answer."""
