#!/usr/bin/env bash
# Run many tasks on this machine: one session for each file of a folder, at most K at once.
#   deploy/queue.sh ISSUES K [FLAG...]      ISSUES: a folder with NAME.md, ...; FLAG: for samocode
# Run it in the project. After a stop, an answer or new files, run the same command again: sessions
# that are done are skipped, the others continue. After one Ctrl-C (SIGINT) no further session starts; a
# second Ctrl-C, or SIGTERM, ends the sessions that run. ISSUES/.queue has the outputs and results.json.
# Exit code: 0 if every session is done, 1 if not, 2 if the queue cannot run here.
set -euo pipefail
if [ $# -lt 2 ] || ! command -v parallel >/dev/null; then
    echo "usage: queue.sh ISSUES K [FLAG...] (it needs GNU parallel: apt install parallel)" >&2
    exit 2
fi
issues=$(cd "$1" && pwd) most=$2
shift 2
queue=$issues/.queue
mkdir -p "$queue"
exec 9>"$queue/lock"
flock -n 9 || { echo "queue.sh: another queue runs $issues" >&2; exit 2; }

# GNU parallel's job log identifies jobs by line number, so new files are appended to the list.
touch "$queue/list"
for issue in "$issues"/*.md; do
    grep -qxF -- "$issue" "$queue/list" || echo "$issue" >>"$queue/list"
done

export SAMOCODE=${SAMOCODE:-samocode}
run() { # run ISSUE FLAG...
    local issue=$1 name
    shift
    name=$(basename "$issue" .md)
    exec "$SAMOCODE" --session "$name" --task - --on-wait exit "$@" <"$issue" 9>&-
}
export -f run
set -m # a process group of its own, which Ctrl-C does not reach
asked=0
trap 'asked=$((asked + 1)); kill -s "$([ $asked = 1 ] && echo HUP || echo TERM)" "$engine" || true' INT
trap 'kill -s TERM "$engine" || true' TERM
# --resume-failed skips what ended with 0. SIGTERM gives a loop a minute to record its end.
SHELL=$(command -v bash) parallel --jobs "$most" --joblog "$queue/joblog" --resume-failed \
    --results "$queue/{/.}.out" --tagstring '{/.}' --line-buffer --termseq TERM,60000,KILL,25 \
    --arg-file "$queue/list" run {} "${@@Q}" 9>&- </dev/null &
engine=$!
while kill -0 "$engine" 2>/dev/null; do # a signal ends only the wait
    wait "$engine" || true
done
"$SAMOCODE" --status --json >"$queue/results.json"
echo "results: $queue/results.json"
finished=$(awk 'NR > 1 && $7 == 0 && $8 == 0 { done[$1] } END { print length(done) }' "$queue/joblog")
[ "$finished" = "$(wc -l <"$queue/list")" ]
