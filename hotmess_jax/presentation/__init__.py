"""How both halves are told: the command line, words and tables, progress, figures."""
