"""Files and arrays become corpora: texts with their label matrix."""
