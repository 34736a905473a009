"""Tables of runs: their cells, the paper's numbers, how long they take, and their files."""
