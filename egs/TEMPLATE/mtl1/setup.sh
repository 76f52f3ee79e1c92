#!/usr/bin/env bash
# Makes a new recipe from this template: egs/TEMPLATE/mtl1/setup.sh egs/mycorpus/mtl1
#
# Scripts that all recipes share are linked; what a recipe changes (cmd.sh, conf, local, run.sh, README.md) is copied.
set -euo pipefail

template=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=utils/log.sh
. "${template}/../../../utils/log.sh"

if [ $# -ne 1 ] || [[ $1 == -* ]]; then
    echo "Usage: egs/TEMPLATE/mtl1/setup.sh NEW_RECIPE_DIR     e.g. egs/mycorpus/mtl1" >&2
    if [[ ${1:-} == --help || ${1:-} == -h ]]; then exit 0; fi
    exit 1
fi
[ ! -e "$1" ] || die "$1: exists; name a new directory or remove it"
recipe=$(realpath -m "$1")
parent=${recipe%/*}
case ${recipe} in
    "${template%/TEMPLATE/mtl1}"/TEMPLATE/*) die "$1: is in the template; name egs/<corpus>/mtl1" ;;
    "${template%/TEMPLATE/mtl1}"/*/*) ;;
    *) die "$1: a recipe lives in ${template%/TEMPLATE/mtl1}/<corpus>/mtl1" ;;
esac

# Made under another name and renamed, so that a recipe is whole or not there.
mkdir -p "${parent}"
temporary=${parent}/.$(basename "${recipe}").$$
trap 'rm -rf "${temporary}"' EXIT
cp -r "${template}/skeleton" "${temporary}"
cp "${template}/cmd.sh" "${temporary}/"
if [ -d "${template}/conf" ]; then cp -r "${template}/conf" "${temporary}/"; fi
mkdir -p "${temporary}/conf"
relative=$(realpath -m --relative-to="${recipe}" "${template}")
for script in "${template}"/*.sh; do
    case ${script##*/} in
        cmd.sh | setup.sh) ;;
        search_*.sh) ln -s "../${relative}/${script##*/}" "${temporary}/local/${script##*/}" ;;
        *) ln -s "${relative}/${script##*/}" "${temporary}/${script##*/}" ;;
    esac
done
sed -i "s/@NAME@/$(basename "$(dirname "${recipe}")")/" "${temporary}/README.md"
mv -T "${temporary}" "${recipe}"
trap - EXIT

log "made $1; next (docs/add_a_corpus.md):
    cd $1
    export CORPUS_ROOT=...         # the folder of the table and the audio; or write it into local/data.sh
    local/data.sh --guess true     # drafts conf/tasks.yaml from the columns of the table; check it
    ./run.sh --mtl_config conf/train_small.yaml"
