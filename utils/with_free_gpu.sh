#!/usr/bin/env bash
# with_free_gpu.sh LOCK_DIR COMMAND...: run a command on a GPU that no other with_free_gpu.sh with this LOCK_DIR uses.
#
# The GPUs are those of CUDA_VISIBLE_DEVICES, or all that nvidia-smi lists; the command sees one of them. It waits while
# all are taken. Without any GPU the command runs as it is.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 LOCK_DIR COMMAND..." >&2; exit 1; }

locks=$1
shift
if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    IFS=, read -ra gpus <<< "${CUDA_VISIBLE_DEVICES}"
else
    mapfile -t gpus < <(nvidia-smi --query-gpu=index --format=csv,noheader 2> /dev/null || true)
fi
[ "${#gpus[@]}" -gt 0 ] || exec "$@"

mkdir -p "${locks}"
while true; do
    for gpu in "${gpus[@]}"; do
        # The lock goes with the descriptor, so a killed command frees its GPU.
        exec 9> "${locks}/gpu.${gpu}.lock"
        if flock --nonblock 9; then
            CUDA_VISIBLE_DEVICES=${gpu} exec "$@"
        fi
    done
    sleep 1
done
