"""Search for the best of many minima: random screening, Newton steps, a list of minima."""
