"""Pictures and self-contained pages from run folders.

`run.write_report`, `comparison.write_comparison` and `map.write_map` make the pages, `figures` the pictures.
Each lives in its own module, so that importing this package costs nothing.
"""
