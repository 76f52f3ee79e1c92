"""Waves and pictures of faces, end to end."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder, used_exits
from espnet2_ext.mtl.encoder.abs_frame_encoder import last_frame, mean_frames
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.encoder.face_network import FaceNetwork
from espnet2_ext.mtl.encoder.wave_network import WaveNetwork
from espnet2_ext.mtl.streams import StreamInput, Streams

AUDIO, VIDEO = "audio", "video"
LAST, MEAN = "last", "mean"


class AudioVisual(AbsEncoder):
    """`WaveNetwork` and `FaceNetwork` side by side, frame by frame, and an LSTM over both: one exit.

    Source: Chae et al., "End-to-end Multimodal Emotion and Gender Recognition with Dynamic Joint Loss Weights", 2018,
    section IV-A and figure 1. Both parts give a vector each 40 ms; they are concatenated, or one goes alone; then an
    LSTM of two layers with 256 cells each, dropout of .5, and (the heads) a linear layer a task. The paper does not say
    how the LSTM's outputs become one prediction: its state after the last valid frame is taken, which has seen all of
    them (`pooling: mean` takes the mean of its outputs). Weights of the LSTM start as Glorot's normalised ones, gate by
    gate, as the paper says; its biases from 0.

    An utterance without video has zeros in the place of the pictures' vectors. No picture past an utterance's end, and
    none of an utterance without video, goes through the network, so batch normalisation counts real ones only. A batch
    without any (on a rank, its part of the batch) takes two blank ones in training, which keeps ranks in step.

    Args:
        input_size: Width of the features: 1, since they are samples.
        exits: Exits of the tasks: all None or 1.
        modalities: `audio`, `video` or both.
        hop: Samples of a frame: 640 at 16 kHz for 25 pictures a second.
        wave_conf: Further options of `WaveNetwork`.
        face_conf: Options of `FaceNetwork`.
        lstm_layers: Layers of the LSTM.
        lstm_cells: Its cells in each layer.
        dropout: Dropout before the heads.
        pooling: `last` or `mean`.
        modality_dropout: In training, the probability that an utterance with both loses one of them, either alike; so
            the network learns to do with one. 0 in the paper.

    Attributes:
        pretrained: Whether the pictures' network has weights of others.

    Raises:
        ValueError: An option is impossible.
        UserError: Video needs torchvision, and it is missing.
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        modalities: Sequence[str] = (AUDIO, VIDEO),
        hop: int = 640,
        wave_conf: Mapping[str, Any] | None = None,
        face_conf: Mapping[str, Any] | None = None,
        lstm_layers: int = 2,
        lstm_cells: int = 256,
        dropout: float = 0.5,
        pooling: str = LAST,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if input_size != 1:
            raise ValueError(f"features of {input_size} bins: audio_visual takes waves, `name: raw` in feature.yaml")
        _check_options(modalities, pooling, modality_dropout)
        self.exits = used_exits(exits, 1)
        self.hop, self.pooling, self.modality_dropout = hop, pooling, modality_dropout
        self.hears = AUDIO in modalities
        self.streams = {VIDEO: hop} if VIDEO in modalities else {}
        self.pretrained = False
        self.audio = self.video = None
        if self.hears:
            self.audio = WaveNetwork(hop, **(wave_conf or {}))
        if self.streams:
            self.video = FaceNetwork(**(face_conf or {}))
        width = sum(part.output_size for part in (self.audio, self.video) if part is not None)
        self.lstm = torch.nn.LSTM(width, lstm_cells, lstm_layers, batch_first=True)
        self.dropout = torch.nn.Dropout(dropout)
        _initialise(self.lstm)

    @property
    def new_parameters(self) -> tuple[str, ...]:
        """Names of what is not pretrained: all but the pictures' network, where that is."""
        names = (name for name, _ in self.named_parameters() if not name.startswith("video."))
        return tuple(names) if self.pretrained else ()

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding; there is one exit."""
        used_exits([exit_number], 1)
        return self.lstm.hidden_size

    def forward(
        self, feats: Tensor, lengths: Tensor | None = None, streams: Streams | None = None
    ) -> dict[int, Tensor]:
        """Encode (B, N, 1) samples, of which (B,) are valid, and pictures; see AbsEncoder.

        Args:
            feats: (B, N, 1); where only video is taken, their number tells how long an utterance is.
            lengths: (B,) valid samples, or None.
            streams: `video`: (B, ceil(N / hop), size * size * 3) bytes; without it, all utterances lack video.
        """
        n_frames = -(-feats.size(1) // self.hop)
        parts = []
        if self.audio is not None:
            parts.append(self.audio(feats, lengths))
        if self.video is not None:
            parts.append(self._see((streams or {}).get(VIDEO), feats, n_frames))
        if self.training and self.modality_dropout > 0:
            parts = self._drop(parts, (streams or {}).get(VIDEO))
        outputs, _ = self.lstm(torch.cat(parts, dim=2))
        frames = None if lengths is None else (lengths + self.hop - 1) // self.hop
        pool = last_frame if self.pooling == LAST else mean_frames
        return {1: self.dropout(pool(outputs, frames))}

    def _see(self, video: StreamInput | None, feats: Tensor, n_frames: int) -> Tensor:
        """Pictures of a batch -> (B, n_frames, output_size), 0 where there is none."""
        shape = (feats.size(0), n_frames, self.video.output_size)
        if video is None:
            return feats.new_zeros(shape)
        if video.rows.size(1) != n_frames:
            raise ValueError(f"{video.rows.size(1)} pictures for {n_frames} frames")
        mask = frame_mask(video.lengths, n_frames)
        pictures = video.rows[mask]
        if len(pictures) and pictures.size(1) != 3 * self.video.size**2:
            raise UserError(f"video: {pictures.size(1)} bytes are no picture of size {self.video.size}; see face_conf")
        if not len(pictures):
            if not self.training:
                return feats.new_zeros(shape)
            # All ranks must do the same steps, and every parameter must have a gradient: of pictures without use, two,
            # since batch normalisation takes no single value.
            pictures = feats.new_zeros(2, 3 * self.video.size**2)
        vectors = self.video(pictures)
        found = vectors.new_zeros(shape)
        found[mask] = vectors[: int(mask.sum())]
        return found

    def _drop(self, parts: list[Tensor], video: StreamInput | None) -> list[Tensor]:
        """Set one part of some utterances to zero, of those that have both."""
        draw = torch.rand(parts[0].size(0), device=parts[0].device)
        both = torch.zeros_like(draw, dtype=torch.bool) if video is None else video.lengths > 0
        deaf = both & (draw < self.modality_dropout / 2)
        blind = both & (draw >= self.modality_dropout / 2) & (draw < self.modality_dropout)
        return [part * ~lost[:, None, None] for part, lost in zip(parts, (deaf, blind), strict=True)]


def _check_options(modalities: Sequence[str], pooling: str, modality_dropout: float) -> None:
    if isinstance(modalities, str) or not modalities or not set(modalities) <= {AUDIO, VIDEO}:
        raise ValueError(f"modalities: a list of {AUDIO}, {VIDEO} or both, not {modalities!r}")
    if pooling not in (LAST, MEAN):
        raise ValueError(f"pooling is {LAST} or {MEAN}, not {pooling!r}")
    if not 0 <= modality_dropout <= 1:
        raise ValueError(f"modality_dropout {modality_dropout}: give a probability")
    if modality_dropout and len(set(modalities)) < 2:
        raise ValueError(f"modality_dropout {modality_dropout}: there is one modality only, which cannot be dropped")


def _initialise(lstm: torch.nn.LSTM) -> None:
    """Glorot and Bengio, 2010, equation 16, for the matrix of each gate; biases 0."""
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight"):
            for gate in parameter.detach().chunk(4):
                torch.nn.init.xavier_uniform_(gate)
        else:
            torch.nn.init.zeros_(parameter)
