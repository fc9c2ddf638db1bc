"""Where neurons lie, and what a spike of each causes there: tiles, routes, wiring."""
