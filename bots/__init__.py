"""Everything that speaks to people: the fronts and what they share."""
