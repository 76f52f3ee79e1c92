#!/usr/bin/env bash
# Fetches the pretrained model from the hub into a folder for --ssl_model, its commit pinned; weights that are pickled there
# are rewritten, and no code of theirs runs. A folder that is there is left alone.
set -euo pipefail

options="model revision out"
model=facebook/wav2vec2-base # org/name on the hub
revision=0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8 # commit
out=downloads/wav2vec2-base  # the folder
help_message="Usage: $0 [options]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"

python3 -c "import transformers, huggingface_hub" 2> /dev/null ||
    "${MAIN_ROOT}/tools/install.sh" --venv "${VIRTUAL_ENV}" --extras ssl,hub >&2
python3 -m espnet2_ext.bin.fetch_ssl_model --model "${model}" --revision "${revision}" --out "${out}"
