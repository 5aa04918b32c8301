"""Atomic files, tensor files, int8 matrices, memory, and the checkpoint: the contract of training and inference."""
