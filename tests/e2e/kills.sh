#!/bin/bash
# Kill -9 at every seam of both sides, in every flow that passes it; then the same command again. Last line: N passed, N failed.
#   act      the flow's command, which may die anywhere       again    the same command, which must come to its end
#   holds    what must be true then, beside what settled checks after every flow: log, store, devices, no half-made key
# The list of seams is read from the sources: one at which nobody was killed is a failure. HK_EVERY=1 kills at each
# passage of each seam in each flow (make soak). Flows may be named: tests/e2e/kills.sh join revoke
. "$(dirname "$0")/../support/flows.sh"
lever=HK_CRASH

# FLOW:WORLD:WHO MAY DIE
flows="join:one:laptop,phone,service init:empty:laptop,service create:one:laptop,service import:one:laptop,service
refresh:two:laptop,service rename:two:laptop,service revoke:two:laptop,service stranger:two:service use:one:laptop,service
start:none:service start:one:service adopt:restored:service
ecdsa:ringed:laptop own:one:laptop rotate:one:laptop,service delete:two:laptop,service shares:one:laptop,service recover:shared:phone,service void:half:laptop reinvite:one:laptop drop:dropped:laptop passphrase:one:laptop follow:two:phone hand:two:laptop,phone,service"

# ---- one kill ----
# try FLOW WORLD WHO SEAM: prints nothing if everything holds; `not reached` if there was no such passage this time
try() {
    local flow=$1 world=$2 reached=yes
    victim=none seam=$4
    rm -rf "$W"; cp -a "$WORLDS/$world" "$W"
    : >"$W/out"
    if [ "$3" = service ] && [ "$flow" != start ]; then victim=service; fi
    [ -e "$W/stopped" ] || serve || [ "$victim" = service ]
    victim=$3
    cp "$W/passed.$victim" "$W/before" 2>/dev/null || : >"$W/before"
    "${flow}_act"
    [ -n "$seam" ] || cp "$W/passed.$victim" "$WORLDS/passed"
    if [ -n "$seam" ]; then
        [ "$(grep -cx "${seam%:*}" "$W/passed.$victim")" -ge "${seam#*:}" ] || reached=no
        if [ $reached = yes ] && ! is_dead; then echo "  it lives"; return 1; fi
    fi
    # An agent that was started again in the middle has the same seam in its environment.
    if [ -n "$seam" ] && [ "$victim" != service ]; then kill_agent "$victim"; fi
    if [ "$victim" = service ] && [ "$flow" != start ] && [ "$flow" != adopt ] && [ -n "$seam" ]; then stop; victim=none; serve; fi
    victim=none
    [ $reached = yes ] || { echo "not reached"; return 1; }
    "${flow}_again" || { echo "  the same command again fails"; return 1; }
    "${flow}_holds" || { echo "  ${flow}_holds fails"; return 1; }
    settled
}
is_dead() { # a passage may come a moment after the answer
    for _ in $(seq 100); do grep -qx KILLED "$W/passed.$victim" && return 0; sleep 0.02; done
    return 1
}
# Which passages of a seam a flow is killed at. What every request passes is tried in full in two flows, and in the others
# where it hurts most: the last answer, the last commit.
passages() { # FLOW NAME FIRST LAST
    if [ -n "${HK_EVERY:-}" ]; then seq "$3" "$4"; return; fi
    case $1/$2 in
    reinvite/enrol/end* | reinvite/enrol/void* | void/keygen.void* | ecdsa/ecdsa* | drop/refresh.drop*) echo "$3" ;;
    reinvite/* | void/* | ecdsa/* | drop/*) ;;
    hand/service/hand-sealed) echo "$3" ;;
    hand/keygen* | hand/refresh* | follow/hand.* | join/hand.* | delete/hand.* | refresh/hand.*) ;; # in another flow each
    */client/after-answer | */service/after-commit) echo "$4" ;;
    create/* | start/*) echo "$3" ;;
    */client/* | */service/revoked | */service/before-send | */log/* | */sign/* | */profile*)
        case $1/$2 in use/* | rename/* | follow/profile* | */service/revoked) echo "$3" ;; esac ;;
    */service/* | */store.commit.* | */generation.i.*) ;;
    *) echo "$3" ;;
    esac
}
# run_flow FLOW WORLD WHO: first without a kill, then with one at every seam that was passed
run_flow() {
    local flow=$1 world=$2 who=$3 count name n first said
    W=$DIR/$flow.$world.$who; WORLDS=$DIR/worlds.$flow.$world.$who
    build "$world" >"$W.built" 2>&1 || { echo "FAIL  cannot build the world '$world'"; cat "$W.built"; return; }
    said=$(try "$flow" "$world" "$who" "" 2>&1); report "$flow on $world without a kill, passages of $who counted" "$said" || return
    cp "$W/before" "$WORLDS/before"; sort "$WORLDS/passed" | uniq -c >"$WORLDS/passages"
    while read -r count name; do
        first=$(($(grep -cx "$name" "$WORLDS/before") + 1))
        [ "$first" -le "$count" ] || continue
        [[ $name == ${HK_ONLY:-*} ]] || continue
        for n in $(passages "$flow" "$name" "$first" "$count"); do
            said=$(try "$flow" "$world" "$who" "$name:$n" 2>&1)
            [ "$said" = "not reached" ] || { echo "$name" >>"$DIR/killed"; report "$flow on $world: $who killed at $name, passage $n of $count" "$said"; }
            stop; kill_agents
        done
    done <"$WORLDS/passages"
    rm -rf "$W" "$WORLDS"
}

: >"$DIR/killed"
for line in $flows; do
    IFS=: read -r flow world victims <<<"$line"
    [ $# = 0 ] || [[ " $* " == *" $flow "* ]] || continue
    for who in ${victims//,/ }; do
        while [ "$(jobs -rp | wc -l)" -ge "${HK_JOBS:-8}" ]; do wait -n; done
        run_flow "$flow" "$world" "$who" >"$DIR/said.$flow.$world.$who" 2>&1 &
    done
done
wait
cat "$DIR"/said.*
passed=$(cat "$DIR"/said.* | grep -c '^ok '); failed=$(cat "$DIR"/said.* | grep -c '^FAIL ')

# ---- every seam there is ----
{ grep -rhoE 'HK_SEAM\("[^"]+"\)' device keyservice | sed 's/.*("//; s/").*//'
  grep -rhoE '(hk_core_save|hk_state_write)\([^"]*"[^"]+"' device/*.c | sed 's/.*"\([^"]*\)"$/\1\/before\n\1\/after/'; } | sort -u >"$DIR/seams"
[ "$(wc -l <"$DIR/seams")" -gt 60 ] || { failed=$((failed + 1)); echo "FAIL  the list of seams was not found"; }
if [ $# = 0 ]; then while read -r name; do
    if grep -qx -- "$name" "$DIR/killed"; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAIL  nobody was killed at $name: no flow passes it"; fi
done <"$DIR/seams"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
