#!/usr/bin/env bash
# Sourced after path.sh: where jobs run. Each command takes [--num-threads N] [--gpu N] [--mem SIZE] [JOB=1:N] LOG COMMAND...

# local: this machine; slurm: through sbatch; sge: through qsub. MTL_CMD_BACKEND in the environment wins over it.
cmd_backend=local

# What your site's sbatch or qsub needs besides, e.g. "--partition gpu --time 1-0" or "-q long.q".
: "${MTL_SUBMIT_OPTIONS:=}"
# SGE's parallel environment for jobs with several threads.
: "${MTL_SGE_PE:=smp}"
export MTL_SUBMIT_OPTIONS MTL_SGE_PE

cmd_backend=${MTL_CMD_BACKEND:-${cmd_backend}}
case ${cmd_backend} in
    local) _runner=run.sh ;;
    slurm) _runner=slurm.sh ;;
    sge) _runner=sge.sh ;;
    *)
        echo "cmd.sh: error: cmd_backend is local, slurm or sge, not '${cmd_backend}'" >&2
        exit 1
        ;;
esac

# Found in utils/, which path.sh puts on PATH. Used as ${train_cmd} LOG COMMAND, unquoted, so that options may be added here: "${_runner} --mem 4G".
export train_cmd="${_runner}"     # short jobs on the CPU: statistics, scoring
export feats_cmd="${_runner}"     # feature extraction, many jobs
export cuda_cmd="${_runner}"      # training; the script adds --gpu N
export decode_cmd="${_runner}"    # inference
unset _runner
