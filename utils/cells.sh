#!/usr/bin/env bash
# Sourced by scripts that train many networks: trainings of a recipe one by one or at the same time. Needs log.sh and the
# recipe's cmd.sh.

# run_cells LOG_DIR JOBS COMMAND...: runs COMMAND with the options in each line of the array `cells`, JOBS at the same time
# as jobs of train_cmd, which share the cores; where there are GPUs, each job has one of its own.
run_cells() {
    local logs=$1 jobs=$2 command=$3 cell i threads
    shift 3
    # shellcheck disable=SC2154 # the caller's
    log "${#cells[@]} cells, ${jobs} at a time"
    if [ "${jobs}" -eq 1 ]; then
        for cell in "${cells[@]}"; do
            # shellcheck disable=SC2086 # options
            "${command}" "$@" ${cell}
        done
        return
    fi
    mkdir -p "${logs}"
    # nproc goes by OMP_NUM_THREADS, which path.sh sets for parallel jobs.
    threads=$(max 1 $(($(env -u OMP_NUM_THREADS nproc) / jobs)))
    for i in "${!cells[@]}"; do
        echo "with_free_gpu.sh ${logs@Q} ${command@Q} --train_threads ${threads} ${*@Q} ${cells[i]}" > "${logs}/cell.$((i + 1)).sh"
    done
    # shellcheck disable=SC2086,SC2154 # a command and options, of cmd.sh
    ${train_cmd} --max-jobs-run "${jobs}" "JOB=1:${#cells[@]}" "${logs}/cell.JOB.log" bash "${logs}/cell.JOB.sh"
}
