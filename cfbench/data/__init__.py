"""Data sets: ratings read from files, preprocessed, split, with raw ids and codes."""
