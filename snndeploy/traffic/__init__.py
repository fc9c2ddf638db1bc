"""What a run moves: messages, hops, synaptic operations, counted on a mapping."""
