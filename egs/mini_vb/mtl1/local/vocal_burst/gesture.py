"""Gestures: how each type of vocal burst lays out its units of sound in time, and what excites them."""

from dataclasses import dataclass

import numpy as np

LEAD = 0.06
"""Silence before the first and after the last unit, in seconds."""


@dataclass(frozen=True)
class Gesture:
    """The time pattern of one type of vocal burst; each pair is the range that a clip draws from.

    Attributes:
        units: number of units (inclusive range).
        length: length of a unit, in seconds.
        gap: silence between units, in seconds.
        attack: share of a unit in which its amplitude rises.
        decay: exponent of the fall after the attack; 0.3 is a plateau, 3 a sharp fall.
        level: factor on the amplitude from unit to unit.
        voiced: amplitude of the glottal source.
        breath: amplitude of the breath noise.
        breath_band: lower and upper edge of the breath noise, in Hz.
        pitch: offset against the speaker's pitch, in semitones.
        glide: change of pitch within each unit, in semitones.
        closed: True for a closed mouth (nasal murmur).
    """

    units: tuple[int, int]
    length: tuple[float, float]
    gap: tuple[float, float]
    attack: float
    decay: float
    level: float
    voiced: float
    breath: float
    breath_band: tuple[float, float]
    pitch: float
    glide: float
    closed: bool = False


GESTURES: dict[str, Gesture] = {
    # Ingressive: the noise swells and stops at once.
    "Gasp": Gesture((1, 1), (0.5, 0.9), (0, 0), 0.8, 1.0, 1.0, 0.45, 0.6, (1500, 7000), 2, 4),
    # A train of short bursts that grow weaker.
    "Laugh": Gesture((4, 8), (0.13, 0.18), (0.08, 0.12), 0.2, 1.2, 0.88, 1.0, 0.12, (500, 7000), 2, -2),
    # A few long falling wails.
    "Cry": Gesture((2, 3), (0.5, 0.75), (0.12, 0.25), 0.3, 0.8, 0.95, 1.0, 0.12, (500, 7000), 2, -5),
    # One long high plateau.
    "Scream": Gesture((1, 1), (0.8, 1.5), (0, 0), 0.08, 0.2, 1.0, 1.0, 0.12, (500, 7000), 5, -1),
    # One short low stroke with a hard onset.
    "Grunt": Gesture((1, 1), (0.3, 0.45), (0, 0), 0.1, 2.5, 1.0, 1.0, 0.12, (300, 4000), -2, -3),
    # One long low swell.
    "Groan": Gesture((1, 1), (1.0, 1.9), (0, 0), 0.4, 1.0, 1.0, 1.0, 0.12, (300, 6000), -2, -3),
    # A train of breaths, hardly voiced.
    "Pant": Gesture((3, 6), (0.18, 0.28), (0.1, 0.18), 0.45, 1.0, 1.0, 0.4, 0.6, (700, 6000), 0, 0),
    # Two hums with a closed mouth.
    "Other": Gesture((2, 2), (0.25, 0.4), (0.08, 0.15), 0.3, 0.5, 1.0, 1.0, 0.12, (300, 6000), 0, 3, True),
}

TYPES: tuple[str, ...] = tuple(GESTURES)


@dataclass(frozen=True)
class Layout:
    """A gesture laid out in time.

    Attributes:
        envelope: (N,) amplitude in [0, 1].
        position: (N,) position within the current unit, from 0 to 1; 0 outside units.
        rate: sampling rate in Hz.
    """

    envelope: np.ndarray
    position: np.ndarray
    rate: int

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return len(self.envelope) / self.rate


def lay_out(gesture: Gesture, tempo: float, rate: int, rng: np.random.Generator, longest: float = 3.0) -> Layout:
    """Lay out the units of a gesture.

    Args:
        gesture: the type's time pattern.
        tempo: quality in [-1, 1]; units and gaps are 2**(0.7 * tempo) times as fast.
        rate: sampling rate in Hz.
        rng: draws the number and length of the units.
        longest: upper bound of the duration, in seconds; units that would pass it are left out.
    """
    speed = 2.0 ** (0.7 * tempo)
    count = int(rng.integers(gesture.units[0], gesture.units[1] + 1))
    lengths = rng.uniform(*gesture.length, size=count) / speed
    gaps = rng.uniform(*gesture.gap, size=count) / speed
    onsets = LEAD + np.concatenate([[0.0], np.cumsum(lengths + gaps)[:-1]])
    kept = onsets + lengths + LEAD <= longest
    kept[0] = True
    duration = np.clip((onsets + lengths)[kept][-1] + LEAD, 0.5, longest)
    samples = round(float(duration) * rate)
    envelope, position = np.zeros(samples), np.zeros(samples)
    for unit, (onset, length) in enumerate(zip(onsets[kept], lengths[kept], strict=True)):
        start = int(onset * rate)
        stop = min(int((onset + length) * rate), samples)
        place = np.arange(stop - start) / (stop - start)
        envelope[start:stop] = gesture.level**unit * _unit_envelope(place, gesture.attack, gesture.decay)
        position[start:stop] = place
    return Layout(envelope, position, rate)


def _unit_envelope(place: np.ndarray, attack: float, decay: float) -> np.ndarray:
    """Raised-cosine rise up to `attack`, then a cosine fall to the power `decay`; (N,) in [0, 1]."""
    rise = np.sin(0.5 * np.pi * np.clip(place / attack, 0.0, 1.0)) ** 2
    fall = np.cos(0.5 * np.pi * np.clip((place - attack) / (1.0 - attack), 0.0, 1.0)) ** decay
    return rise * fall
