"""Pictures and self-contained pages from run folders."""
