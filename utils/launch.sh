#!/usr/bin/env bash
# Sourced by mtl.sh: starting a training, and its progress. Needs log.sh.

# launcher NGPU NPROC NODES ID ENDPOINT: print the command that starts the processes: python, or torchrun for several.
launcher() {
    local processes=$2
    [ "$1" -eq 0 ] || processes=$1
    if [ "${processes}" -eq 1 ] && [ "$3" -eq 1 ]; then
        echo "python3"
    elif [ "$3" -eq 1 ]; then
        echo "torchrun --standalone --nproc_per_node ${processes}"
    else
        [ -n "$5" ] || die "--num_nodes $3 needs --rdzv_endpoint HOST:PORT"
        echo "torchrun --nnodes $3 --nproc_per_node ${processes} --rdzv_backend c10d --rdzv_id $4 --rdzv_endpoint $5"
    fi
}

# Print each epoch's line of a log that is being written; stop_following ends it, also where the script ends early.
follow_log() {
    # In this order: grep inherits the standard error that stands when it starts.
    tail -n 0 -F --pid $$ "$1" > >(grep --line-buffered -o 'epoch [0-9]* of .*' >&2) 2> /dev/null &
    follower=$!
    trap stop_following EXIT
}

stop_following() {
    kill "${follower}" 2> /dev/null || true
    trap - EXIT
}
