"""Carrying a plan out, and measuring a finished one again."""
