#!/usr/bin/env bash
# Fetches the packages, makes the corpus and its data directories; run from the recipe's folder.
set -euo pipefail

options="debs downloads"
debs=                # folder with the three packages (.deb); empty: they are downloaded with apt-get
downloads=downloads  # where packages and clips go
packages="hedgewars-data openarena-081-players openarena-data"
help_message="Usage: $0 [options]
Makes <downloads>/freeburst from the Debian packages ${packages// /, } (264 MB), which are read, not
installed, and writes data/{train,dev,test}."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"

elsewhere="and give local/data.sh --debs DIR (run.sh: --local_data_opts '--debs DIR')"

# The packages of this machine's own release, from the servers that its package client uses.
download() {
    command -v apt-get > /dev/null ||
        die "no apt-get here: get ${packages// /, } of Debian 12 from https://packages.debian.org/bookworm ${elsewhere}"
    local target=${downloads}/debs
    rm -rf "${target}" "${target}.part"
    mkdir -p "${target}.part"
    log "downloading ${packages// /, } (264 MB)"
    # apt-get drops root's rights for a download, and could then not write here.
    # shellcheck disable=SC2086  # a list
    (cd "${target}.part" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download ${packages} >&2) ||
        die "apt-get download failed: run apt-get update, or get the packages elsewhere ${elsewhere}"
    mv "${target}.part" "${target}"
}

# Whether the folder $1 holds all packages; a damaged one that was deleted is downloaded again.
has_packages() {
    local package
    for package in ${packages}; do
        compgen -G "$1/${package}_*.deb" > /dev/null || return 1
    done
}

corpus=${downloads}/freeburst
if [ ! -f "${corpus}/labels.csv" ] || [ -n "${debs}" ] || [ local/labels.csv -nt "${corpus}/labels.csv" ]; then
    if [ -z "${debs}" ]; then
        debs=${downloads}/debs
        has_packages "${debs}" || download
    fi
    python3 local/make_corpus.py --debs "${debs}" --table local/labels.csv --out "${corpus}"
fi
"${MAIN_ROOT}/utils/csv_to_data_dir.py" --csv "${corpus}/labels.csv" --wav-dir "${corpus}/wav" --out data \
    --tasks conf/tasks.yaml
log "made data/{train,dev,test} in $(elapsed)"
