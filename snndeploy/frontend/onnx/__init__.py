"""ONNX files: read defensively, rebuilt as a torch module, proved beside onnx's own reference."""
