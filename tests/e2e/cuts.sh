#!/bin/bash
# Network cuts at every frame of every exchange, in every flow; then the same command again. Last line: N passed, N failed.
# The n-th frame that a device sends or gets is lost, or the connection is closed before it or after it (protocol/seam_cut.h).
# The command may fail, with a sentence, or come through; then both sides are restarted, or the service, or none, and the same
# command comes to its end. HK_SCALE is the percentage of these that are tried, 2 if it is not set: make soak tries all. Flows may be named: tests/e2e/cuts.sh join revoke
. "$(dirname "$0")/../support/flows.sh"
lever=HK_CUT scale=${HK_SCALE:-2}

# ---- flows of its own ----
seal_act() { key new x25519; }; seal_again() { seal_act || { grep -q "there is a key 'new' already" "$W/out" && exists new; }; }
seal_holds() { echo secret | age -r "$(laptop key export new --format age)" -o "$W/new.age" && [ "$(laptop decrypt --key new "$W/new.age" 2>>"$W/out")" = secret ]; }

# FLOW:WORLD:WHOSE NETWORK
flows="join:one:laptop,phone init:empty:laptop create:one:laptop seal:one:laptop import:one:laptop use:one:laptop use:two:laptop
refresh:two:laptop rename:two:laptop own:one:laptop revoke:two:laptop stranger:two:stranger follow:two:phone"
[ "$scale" -lt 100 ] || flows="$flows ecdsa:ringed:laptop"

# ---- one cut ----
# cut_at FLOW WORLD WHO KIND:N RESTART: prints nothing if everything holds; `not reached` if there was no such frame this time
cut_at() {
    local flow=$1 world=$2 act restart=$5
    victim=none
    rm -rf "$W"; cp -a "$WORLDS/$world" "$W"; : >"$W/out"
    serve || { echo "  the service does not start"; return 1; }
    victim=$3 seam=$4; rm -f "$W/passed.$victim"
    "${flow}_act"; act=$?
    victim=none
    if [ "$seam" = count:0 ]; then cp "$W/passed.$3" "$WORLDS/passed"
    else grep -qx CUT "$W/passed.$3" || { echo "not reached"; return; }; fi
    cp "$W/out" "$W/out.act"
    [ $act = 0 ] || says_why || { echo "  the command fails with $act and does not say why"; return 1; }
    [ "$restart" != both ] || kill_agents
    [ "$restart" = none ] || { stop; serve || { echo "  the service does not start again"; return 1; }; }
    "${flow}_again" || { echo "  the same command again fails"; return 1; }
    "${flow}_holds" || { echo "  ${flow}_holds fails"; return 1; }
    restarted
}
# run_flow FLOW WORLD WHO: first without a cut, then with each kind at every frame
run_flow() {
    local flow=$1 world=$2 who=$3 frames kind n said restart i=$first
    W=$DIR/$flow.$world.$who; WORLDS=$DIR/worlds.$flow.$world.$who
    build "$world" >"$W.built" 2>&1 || { echo "FAIL  cannot build the world '$world'"; cat "$W.built"; return; }
    said=$(cut_at "$flow" "$world" "$who" count:0 both 2>&1); report "$flow on $world without a cut, frames of $who counted" "$said" || return
    frames=$(grep -cx frame "$WORLDS/passed")
    [ "$frames" -ge 2 ] || { report "$flow on $world: $who" "  sends no frame"; return; }
    for n in $(seq "$frames"); do for kind in lost before after; do for restart in both service none; do
        is_tried && [[ $kind:$n == ${HK_ONLY:-*} ]] || continue
        said=$(cut_at "$flow" "$world" "$who" "$kind:$n" "$restart" 2>&1)
        [ "$said" = "not reached" ] || report "$flow on $world: cut of $who, $kind:$n of $frames, restart: $restart" "$said"
        stop; kill_agents
    done; done; done
    rm -rf "$W" "$WORLDS"
}

run_flows "$@"
