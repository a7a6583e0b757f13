"""What a recipe may say of the latent vector that everything passes through, and of the noise before it."""

from typing import Annotated, Literal

from pydantic import Field

from seq2seq_kit.recipe.section import MOST, Section, Steps


class Latent(Section):
    """The latent vector of an autoencoder; every key is an argument of the builders."""

    latent_dim: Steps | None = Field(None, description="Width of the latent vector; default: the last encoder layer's.")
    noise: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="Standard deviation of noise on the inputs, in scaled units and in training only; the targets stay clean.",
    )
    latent: Literal["plain", "variational"] = Field(
        "plain", description="variational: drawn in training, with a penalty (`kl_weight`); its mean in use."
    )
    kl_weight: Annotated[float, Field(ge=0, le=1e6)] = Field(
        0.001, description="Weight of a variational latent vector's divergence from a standard normal one, in nats."
    )
    kl_warmup: Annotated[int, Field(ge=0, le=MOST)] = Field(
        0, description="Epochs over which `kl_weight` rises from 0; none of them is kept."
    )
