"""Epochs of the word classifier in Keras 3 on torch: python keras_words.py sentences.npz "lstm" (see networks.py)."""

from __future__ import annotations

import os
import sys
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

data = np.load(sys.argv[1])
layer = keras.layers.SimpleRNN(32) if sys.argv[2] == "rnn" else keras.layers.LSTM(32)
if "bidirectional" in sys.argv[2]:
    layer = keras.layers.Bidirectional(layer)
model = keras.Sequential(
    [keras.layers.Embedding(10_000, 32, mask_zero=True), layer, keras.layers.Dense(1, activation="sigmoid")]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])


class Clock(keras.callbacks.Callback):
    """A callback that prints the seconds of each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Print the seconds and the validation accuracy."""
        print("epoch", time.perf_counter() - self.start, logs["val_accuracy"], flush=True)


model.fit(data["x"], data["y"], batch_size=32, epochs=2, validation_split=0.2, verbose=0, callbacks=[Clock()])
