"""Safe file access: atomic writing, guarded reading, locks; folders that the user names."""
