"""The float model in standard ONNX operators."""
