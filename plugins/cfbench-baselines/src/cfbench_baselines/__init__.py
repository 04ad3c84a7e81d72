"""Baselines that any recommender must beat before it is worth its cost."""
