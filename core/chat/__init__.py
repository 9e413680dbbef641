"""Questions and their answers: the one object that fronts talk to, and what it is made of."""
