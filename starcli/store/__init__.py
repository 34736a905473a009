"""Results on disk, found again by what made them, and the runs that name them."""
