"""The synthetic study's science: problem, teacher, codec, model, training, rollouts, and what they show."""
