"""What a network computes, bit for bit: the reference step and the fast engines."""
