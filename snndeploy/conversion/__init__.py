"""From an ordinary network (ReLU, no spikes) to integrate-and-fire neurons: `convert.convert`."""
