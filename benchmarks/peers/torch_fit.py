"""The same model in PyTorch, fed the way that is fastest for it: batches picked by a shuffled index, no loader."""

from collections.abc import Callable

import numpy as np
import torch
from peers.shapes import INFERENCE_BATCHES, LEARNING_RATE, Shape, cut
from torch import nn


class EncoderDecoder(nn.Module):
    """LSTM or GRU layers, the last output repeated, as many layers again, a linear map at each step."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[shape.cell]
        width, layers = shape.units[0], len(shape.units)
        assert set(shape.units) == {width}, "nn.LSTM stacks layers of one width"
        self.steps = shape.output_steps
        self.encoder = kind(shape.features, width, num_layers=layers, batch_first=True)
        self.decoder = kind(width, width, num_layers=layers, batch_first=True)
        self.output = nn.Linear(width, shape.output_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, input_steps, features)` -> `(batch, output_steps, output_features)`."""
        encoded, _ = self.encoder(x)
        latent = encoded[:, -1]
        decoded, _ = self.decoder(latent.unsqueeze(1).expand(-1, self.steps, -1))
        outputs: torch.Tensor = self.output(decoded)
        return outputs


class Peer:
    """One model."""

    batches = INFERENCE_BATCHES

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        torch.manual_seed(0)
        self.model = EncoderDecoder(shape)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, fused=True)

    def fit(self, rows: np.ndarray, begin: Callable[[], None]) -> None:
        """Trains epoch after epoch until `begin`, called at the beginning of each, raises."""
        x, y = (torch.from_numpy(array) for array in cut(self.shape, rows))
        addition = self.shape.kind == "addition"
        labels = y.argmax(-1) if addition else y
        while True:
            begin()
            total = torch.zeros(())
            for picked in torch.randperm(len(x)).split(self.shape.batch):
                outputs = self.model(x[picked])
                if addition:
                    loss = nn.functional.cross_entropy(outputs.flatten(0, 1), labels[picked].flatten())
                else:
                    loss = nn.functional.mse_loss(outputs, labels[picked])
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                total += loss.detach()
            float(total)  # the epoch's loss, which the others compute, too

    def infer(self, x: np.ndarray, batch: int) -> np.ndarray:
        """Outputs of all sequences."""
        with torch.inference_mode():
            pieces = [self.model(piece) for piece in torch.from_numpy(x).split(batch)]
            outputs = torch.cat(pieces)
            return (outputs.softmax(-1) if self.shape.kind == "addition" else outputs).numpy()

    def versions(self) -> dict[str, str]:
        """Packages that the figures depend on."""
        return {"PyTorch": torch.__version__}
