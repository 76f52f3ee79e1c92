"""Faces in videos: decoding, detection, tracking, crops at the rate of the audio frames, archives of bytes."""
