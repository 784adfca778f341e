"""The networks that ship: NAME.onnx, and NAME.json that says what it is."""
