"""Samples of language models: questions, prompts, endpoints, replies, answers, and the file of records."""
