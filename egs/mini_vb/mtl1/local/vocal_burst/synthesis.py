"""One clip: qualities, speaker and type in, 16-bit samples out."""

import numpy as np
from scipy.signal import resample_poly

from vocal_burst import channel, source
from vocal_burst.emotion import QUALITIES
from vocal_burst.gesture import GESTURES, Layout, lay_out
from vocal_burst.speaker import VOWELS, Speaker
from vocal_burst.tract import formants, glide


def pitch_contour(qualities: dict[str, float], base: float, offset: float, step: float, layout: Layout) -> np.ndarray:
    """Fundamental frequency over the clip.

    Args:
        qualities: by name, each in [-1, 1].
        base: the speaker's neutral pitch in Hz.
        offset: of the type, in semitones.
        step: change within each unit, in semitones, of the type.
        layout: the units in time.

    Returns:
        (N,) in Hz: level +-6 semitones, an arch of 0 to 10, a line of +-6 and a 9 Hz tremor of up to 1.2 semitones.
    """
    time = np.linspace(0.0, 1.0, len(layout.envelope))
    semitones = offset + 6.0 * qualities["pitch"]
    semitones = semitones + 5.0 * (1.0 + qualities["pitch_range"]) * (np.sin(np.pi * time) - 0.5)
    semitones += 6.0 * qualities["pitch_slope"] * (2.0 * time - 1.0)
    semitones += step * (layout.position - 0.5)
    semitones += 0.6 * (1.0 + qualities["tremor"]) * np.sin(2.0 * np.pi * 9.0 * layout.duration * time)
    return np.clip(base * 2.0 ** (semitones / 12.0), 60.0, 900.0)


def render_voice(qualities: np.ndarray, speaker: Speaker, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a clip without room and noise.

    Args:
        qualities: (8,), each in [-1, 1], in the order of QUALITIES.
        speaker: whose voice.
        kind: one of TYPES.
        rng: draws all that is left to chance.

    Returns:
        (N,) float64 at 16 kHz, 0.5 to 3 seconds.
    """
    quality = dict(zip(QUALITIES, qualities.tolist(), strict=True))
    gesture = GESTURES[kind]
    layout = lay_out(gesture, quality["tempo"], source.RATE, rng)
    pitch = pitch_contour(quality, speaker.pitch, gesture.pitch, gesture.glide, layout)
    voiced = source.glottal_source(
        pitch, speaker.jitter, speaker.shimmer, 0.5 * (1.0 + quality["roughness"]), quality["effort"], rng
    )
    breath = source.breath_source(len(pitch), gesture.breath_band, rng)
    breath_gain = gesture.breath * 10.0 ** (0.8 * quality["breathiness"])
    shake = np.sin(2.0 * np.pi * 9.0 * np.arange(len(pitch)) / source.RATE + 1.0)
    envelope = layout.envelope * (1.0 + 0.35 * (1.0 + quality["tremor"]) * shake)
    excitation = envelope * (gesture.voiced * voiced + breath_gain * breath)
    if gesture.closed:
        excitation = source.murmur(excitation)
    excitation = resample_poly(excitation, 1, source.RATE // channel.RATE)
    first, second = rng.permutation(2)
    vowels = VOWELS[speaker.country]
    scatter = 1.0 + 0.05 * rng.standard_normal((2, 2))
    start, stop = (
        formants(vowels[index], (speaker.accent[0] * near, speaker.accent[1] * far), speaker.tract_scale)
        for index, (near, far) in zip((first, second), scatter.tolist(), strict=True)
    )
    return glide(excitation, start, stop, channel.RATE)


def render_clip(qualities: np.ndarray, speaker: Speaker, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a recorded clip: voice, room (60 dB decay in .1 to .4 s), noise (15 to 35 dB), level.

    Returns:
        (N,) int16 at 16 kHz; the level tells nothing about the labels.
    """
    voice = render_voice(qualities, speaker, kind, rng)
    wet = channel.add_room(voice, rng.uniform(0.1, 0.4), rng.uniform(3.0, 15.0), rng)
    noisy = channel.add_noise(wet, rng.uniform(15.0, 35.0), bool(rng.integers(2)), rng)
    return channel.to_int16(noisy, rng.uniform(-12.0, -1.0))
