"""The plan of a corpus: speakers, splits, and what each clip expresses; all of it follows from the seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vocal_burst.emotion import EMOTIONS, emotion_intensities, sample_qualities
from vocal_burst.gesture import TYPES
from vocal_burst.speaker import AGES, COUNTRIES, Speaker, sample_speaker
from vocal_burst.synthesis import render_clip

SPLITS: tuple[str, ...] = ("train", "dev", "test")

MISSING_SHARE = 0.05
"""Share of clips that lack emotion labels: half of these lack all ten, half lack one."""


@dataclass(frozen=True)
class Clip:
    """One clip and its labels.

    Attributes:
        name: utterance identifier, `<speaker>-<number>`.
        speaker: whose voice; gives age and country.
        kind: one of TYPES.
        intensities: (10,) emotion intensities in (0, 1), NaN where the label is missing.
        samples: (N,) int16 at 16 kHz.
    """

    name: str
    speaker: Speaker
    kind: str
    intensities: np.ndarray
    samples: np.ndarray


def plan_speakers(count: int, seed: int) -> list[Speaker]:
    """Draw the speakers of all splits.

    Dev and test get a fifth each. In each split the countries take turns, and the ages are spread over AGES: one
    is drawn from each of as many equal intervals as the split has speakers, in random order.

    Args:
        count: number of speakers, at least 12 (four countries in three splits).
        seed: of the corpus.

    Raises:
        ValueError: fewer than 12 speakers.
    """
    if count < len(SPLITS) * len(COUNTRIES):
        raise ValueError(f"{count} speakers are too few for {len(COUNTRIES)} countries in {len(SPLITS)} sets")
    held_out = max(len(COUNTRIES), round(count / 5))
    sizes = (count - 2 * held_out, held_out, held_out)
    speakers: list[Speaker] = []
    for split, size in zip(SPLITS, sizes, strict=True):
        rng = np.random.default_rng([seed, SPLITS.index(split)])
        places = (rng.permutation(size) + rng.random(size)) / size
        for index in range(size):
            age = round(AGES[0] + (AGES[1] - AGES[0]) * places[index], 1)
            name = f"s{len(speakers) + 1:03d}"
            speakers.append(sample_speaker(rng, name, split, age, COUNTRIES[index % len(COUNTRIES)]))
    return speakers


def render_corpus(num_speakers: int, clips_per_speaker: int, seed: int) -> Iterator[Clip]:
    """Synthesise all clips, speaker by speaker; each type comes equally often (up to one) from each speaker.

    A clip depends on the seed and its place only, so a corpus with more clips per speaker contains the smaller one's
    voices and qualities.
    """
    for number, speaker in enumerate(plan_speakers(num_speakers, seed)):
        for index in range(clips_per_speaker):
            rng = np.random.default_rng([seed, len(SPLITS), number, index])
            kind = TYPES[(number + index) % len(TYPES)]
            qualities = sample_qualities(rng)
            intensities = hide_labels(emotion_intensities(qualities), rng)
            samples = render_clip(qualities, speaker, kind, rng)
            yield Clip(f"{speaker.name}-{index + 1:03d}", speaker, kind, intensities, samples)


def hide_labels(intensities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take away labels (NaN) of MISSING_SHARE of the clips."""
    draw, one = rng.random(), rng.integers(len(EMOTIONS))
    hidden = intensities.copy()
    if draw < MISSING_SHARE / 2:
        hidden[:] = np.nan
    elif draw < MISSING_SHARE:
        hidden[one] = np.nan
    return hidden
