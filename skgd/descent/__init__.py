"""The descent: one loop, compiled for the parts it is given, and the record of its run."""
