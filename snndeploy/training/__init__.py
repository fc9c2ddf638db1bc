"""Fine-tuning on the chip's integers: a module that computes what the compiled program computes.

from snndeploy.training import quantized

tuned = quantized(module, "loihi2", calibration=images)
optimizer = torch.optim.Adam(tuned.parameters(), 1e-4)
...                                      # train on: tuned(x) are the chip's logits, bit for bit
program = tuned.program()
"""

from snndeploy.training.quantized import Answer, QuantizedModule, quantized

__all__ = ["Answer", "QuantizedModule", "quantized"]
