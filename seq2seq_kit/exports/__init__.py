"""Models in forms that run elsewhere: ONNX written from the weights, units inside, compared before anything is kept."""
