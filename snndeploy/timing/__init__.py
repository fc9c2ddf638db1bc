"""How long a run takes and what energy it takes, from its counts."""
