"""Files: atomic writing, Kaldi tables, Kaldi archives and audio."""
