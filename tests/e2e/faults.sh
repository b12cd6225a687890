#!/bin/bash
# The disk of a device goes wrong at every write of every flow; then the same command again. Last line: N passed, N failed.
# From the n-th write of the device's programs to their files on it fails, once or for ever, is cut short, or kills whoever
# writes, before or in the middle of it (protocol/seam_file.h). The command may fail, with a sentence, or come through. Then the
# disk is whole again, the agent is restarted or goes on, and the same command comes to its end. HK_SCALE is the percentage of
# these that are tried, 1 if it is not set: make soak tries all. Flows may be named: tests/e2e/faults.sh init join
. "$(dirname "$0")/../support/flows.sh"
scale=${HK_SCALE:-1}
# The passages of other seams would be writes too.
as() { # WHO COMMAND...
    local who=$1; shift
    local -x HALFKEY_HOME=$W/$who
    if [ "$who" = "$victim" ]; then local -x HK_FAULT=$W/fault; fi
    "$@"
}

# FLOW:WORLD:WHOSE DISK
flows="join:one:laptop,phone init:empty:laptop create:one:laptop import:one:laptop refresh:two:laptop revoke:two:laptop
rename:two:laptop rotate:one:laptop delete:two:laptop passphrase:one:laptop follow:two:phone"
[ "$scale" -lt 100 ] || flows="$flows ecdsa:ringed:laptop"
kinds="kill:1 torn:1 short:1 enospc:1 enospc:1000000 eio:1 erofs:1000000 fsync:1 fsync:1000000"

# fault_at FLOW WORLD WHO KIND N COUNT RESTART: prints nothing if everything holds; `not reached` if there was no such write
fault_at() {
    local flow=$1 world=$2 kind=$4 act
    victim=none
    rm -rf "$W"; cp -a "$WORLDS/$world" "$W"; : >"$W/out"
    serve || { echo "  the service does not start"; return 1; }
    echo "$kind $5 $6" >"$W/fault"
    victim=$3; "${flow}_act"; act=$?; victim=none
    : >"$W/fault" # the disk is whole again, for a running agent too
    if [ "$kind" = count ]; then wc -c <"$W/fault.count" >"$WORLDS/writes"
    elif [ ! -e "$W/fault.hit" ]; then echo "not reached"; return; fi
    # Who was killed says nothing; its caller does.
    [ $act = 0 ] || [ $act = 137 ] || says_why || { echo "  the command fails with $act and does not say why"; return 1; }
    [ "$7" = none ] || kill_agents
    "${flow}_again" || { echo "  the same command again fails"; return 1; }
    "${flow}_holds" || { echo "  ${flow}_holds fails"; return 1; }
    if [ "$flow" = passphrase ]; then settled; else restarted; fi # a new agent would be locked
}
run_flow() {
    local flow=$1 world=$2 who=$3 writes kind count n said restart i=$first
    W=$DIR/$flow.$world.$who; WORLDS=$DIR/worlds.$flow.$world.$who
    build "$world" >"$W.built" 2>&1 || { echo "FAIL  cannot build the world '$world'"; cat "$W.built"; return; }
    said=$(fault_at "$flow" "$world" "$who" count 1 1 both 2>&1); report "$flow on $world, writes of $who counted" "$said" || return
    writes=$(cat "$WORLDS/writes")
    [ "$writes" -ge 3 ] || { report "$flow on $world: $who" "  writes nothing"; return; }
    for n in $(seq "$writes"); do for kind in $kinds; do for restart in agents none; do
        count=${kind#*:}
        is_tried && [[ ${kind%:*}:$n == ${HK_ONLY:-*} ]] || continue
        said=$(fault_at "$flow" "$world" "$who" "${kind%:*}" "$n" "$count" "$restart" 2>&1)
        [ "$said" = "not reached" ] || report "$flow on $world: ${kind%:*} at write $n of $writes of $who, times $count, restart: $restart" "$said"
        stop; kill_agents
    done; done; done
    rm -rf "$W" "$WORLDS"
}
run_flows "$@"
