"""The language-model half: records of repeated samples, and their analyses."""
