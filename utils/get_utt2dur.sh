#!/usr/bin/env bash
# Writes utt2dur from the headers of the wavs; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.wav_info "$@"
