"""Queries of a fitted model: predictions, rankings and embeddings, each validated."""
