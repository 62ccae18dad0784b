"""Joint searches: the candidates of a grid, and the alphas of a path, trained together."""
