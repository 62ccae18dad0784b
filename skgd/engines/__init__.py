"""Who adds up the rows: engines that do so piece by piece, in threads."""
