#!/usr/bin/env bash
# Sourced by scripts that wait for parallel jobs. Needs log.sh, and a function count_done that prints how much is done.

# show_progress TOTAL WHAT: until all is done, one line that is redrawn on a terminal, else a line every ten seconds.
show_progress() {
    local total=$1 count filled bar tick=0
    # Without the script's streams: a pipe behind the script would wait for the last sleep.
    while sleep 0.5 > /dev/null 2>&1; do
        tick=$((tick + 1))
        [ -t 2 ] || [ $((tick % 20)) -eq 0 ] || continue
        count=$(count_done)
        if [ -t 2 ]; then
            filled=$((30 * count / total))
            printf -v bar '%*s' "${filled}" ''
            printf '\r[%-30s] %d of %d %s, %s ' "${bar// /#}" "${count}" "${total}" "$2" "$(elapsed)" >&2
        else
            log "${count} of ${total} $2, $(elapsed)"
        fi
        [ "${count}" -lt "${total}" ] || break
    done
    [ ! -t 2 ] || echo >&2
}
