"""What is printed of language models, held against simulations of known truth."""
