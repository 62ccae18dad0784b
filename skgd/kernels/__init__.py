"""Compiled code: how it is built and cached, and the loops over rows. The bottom floor."""
