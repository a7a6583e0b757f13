"""LSTM and GRU in C, as operations of TensorFlow on a CPU: a whole sequence at once, forward and backward.

The sources lie beside this file. They are compiled on the machine that runs them, once, by its own C compiler (compiling.py), so
that they use what its processor can do; recurrent.py makes functions of tensors out of the operations.
"""
