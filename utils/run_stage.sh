#!/usr/bin/env bash
# Sourced by scripts with stages: a stage that has finished with the same options and inputs does nothing. Needs log.sh.

# stage_marker FUNCTION OUTPUT: where run_stage remembers it.
stage_marker() {
    echo ".stages/${1}_$(tr -c 'A-Za-z0-9\n' '_' <<< "$2")"
}

# run_stage NUMBER OPTIONS "INPUTS" "OUTPUTS" FUNCTION: call the function unless it has finished with the same
# options and inputs; remember it when it has.
run_stage() {
    local number=$1 marker from to state
    marker=$(stage_marker "$5" "${4%% *}")
    read -ra from <<< "$3"
    read -ra to <<< "$4"
    state=(--marker "${marker}" --options "$2" --inputs "${from[@]}" --outputs "${to[@]}")
    if stage_done.py check "${state[@]}" 2> /dev/null; then
        log "stage ${number}: ${to[0]} is up to date"
        return
    fi
    log "stage ${number}: ${5//_/ }: ${to[0]}"
    # One that fails or is stopped now may have changed what an earlier one, with other options, has made.
    rm -f "${marker}"
    "$5"
    stage_done.py write "${state[@]}"
}

# Move a file over another unless they are equal.
replace_if_new() {
    if cmp -s "$1" "$2"; then rm "$1"; else mv "$1" "$2"; fi
}
