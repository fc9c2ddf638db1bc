"""From real numbers to the chip's integers."""
