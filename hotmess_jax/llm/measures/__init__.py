"""What analyses are made of: records as arrays, questions with their decompositions, estimates over them."""
