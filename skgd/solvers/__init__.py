"""Direct solvers: minimizers of a convex quadratic objective that take no steps of a rule."""
