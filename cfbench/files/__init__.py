"""Safe file access: atomic writing, guarded reading, locks."""
