"""Who used how much: one row a turn, sums of them, and what they would have cost."""
