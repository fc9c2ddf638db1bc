"""From a partitioned graph to populations and projections, in real numbers."""
