"""Emotion intensities: a known smooth function of eight voice qualities."""

import numpy as np

QUALITIES: tuple[str, ...] = (
    "pitch",
    "pitch_range",
    "pitch_slope",
    "effort",
    "breathiness",
    "tempo",
    "roughness",
    "tremor",
)
"""The voice qualities, each in [-1, 1]; 0 is the speaker's neutral voice."""

EMOTIONS: tuple[str, ...] = (
    "Awe",
    "Excitement",
    "Amusement",
    "Awkwardness",
    "Fear",
    "Horror",
    "Distress",
    "Triumph",
    "Sadness",
    "Surprise",
)

GAIN = 2.6
BIAS = -1.8

_DIRECTIONS = np.array(
    # pitch range slope effort breath tempo rough tremor
    [
        [-0.2, 0.8, -0.6, -0.2, 0.5, -0.8, -0.3, -0.3],  # Awe
        [0.7, 0.5, 0.3, 0.7, -0.2, 0.8, 0.0, -0.1],  # Excitement
        [0.1, 0.7, -0.4, -0.1, 0.1, 1.0, -0.5, -0.2],  # Amusement
        [-0.1, -0.8, 0.3, -0.7, 0.2, 0.2, -0.1, 0.6],  # Awkwardness
        [0.9, -0.2, 0.1, -0.1, 0.4, 0.3, 0.0, 0.9],  # Fear
        [0.6, 0.1, -0.3, 0.7, 0.1, -0.2, 0.9, 0.5],  # Horror
        [0.4, -0.1, -0.8, 0.3, -0.2, -0.1, 0.8, 0.3],  # Distress
        [0.2, 0.6, 0.8, 0.9, -0.4, -0.1, 0.2, -0.5],  # Triumph
        [-0.8, -0.4, -0.7, -0.7, 0.4, -0.7, -0.1, 0.4],  # Sadness
        [0.5, 0.8, 0.9, -0.1, 0.3, 0.5, -0.4, -0.2],  # Surprise
    ]
)
DIRECTIONS: np.ndarray = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
"""(10, 8): the unit direction in the space of qualities along which each emotion grows."""


def emotion_intensities(qualities: np.ndarray) -> np.ndarray:
    """Map voice qualities to emotion intensities: sigmoid(GAIN * direction . qualities + BIAS).

    Args:
        qualities: (8,), each in [-1, 1], in the order of QUALITIES.

    Returns:
        (10,), each in (0, 1), in the order of EMOTIONS. The neutral voice has sigmoid(BIAS) = .14 in all.
    """
    return 1.0 / (1.0 + np.exp(-(GAIN * DIRECTIONS @ qualities + BIAS)))


def sample_qualities(rng: np.random.Generator) -> np.ndarray:
    """Draw voice qualities that express one main emotion, a weaker second one, and chance.

    Returns:
        (8,), each in [-1, 1]. The resulting intensities are correlated (similar directions) and mostly low.
    """
    main, second = rng.choice(len(EMOTIONS), size=2, replace=False)
    strength = rng.uniform(0.4, 2.4)
    qualities = strength * DIRECTIONS[main] + rng.uniform(0.0, 1.0) * DIRECTIONS[second]
    return np.clip(qualities + 0.2 * rng.standard_normal(len(QUALITIES)), -1.0, 1.0)
