"""Many starts: screening of random points, Newton steps, and the table of minima."""
