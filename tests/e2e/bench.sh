#!/bin/bash
# The benchmark measures: its rows run against the real service, its JSON has the promised form, its page holds
# everything, and it says so when something is wrong. What the figures are is no test.
set -u
cd "$(dirname "$0")/../.." || exit 2
BENCH=${BUILD:-build}/halfkey-bench
DIR=$(mktemp -d /tmp/halfkey-bench-test.XXXXXX)
service=
trap '[ -z "$service" ] || kill "$service" 2>/dev/null; rm -rf "$DIR"' EXIT
passed=0; failed=0
check() {
    local what=$1; shift
    if "$@" >"$DIR/out" 2>&1; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what"; tail -n 5 "$DIR/out"; fi
}
bench() { "$BENCH" --quick --time 0.05 --directory "$DIR" "$@"; }
json() { bench --filter "$1" --json >"$DIR/$2"; }
row() { jq -e "(.[] | select(.name == \"$2\")) as \$r | \$r | $3" "$DIR/$1"; }

check "rows in process run" json "agreement share, 25519" share.json
check "standard output is one list of rows and nothing else" jq -es 'length == 1 and (.[0] | type == "array" and length == 1)' "$DIR/share.json"
check "a row has what is promised" jq -e 'all(.[]; [has("name", "unit", "median", "p10", "p90", "baseline", "ratio", "goal", "met")] | all)' "$DIR/share.json"
check "its figures are in order" row share.json "agreement share, 25519" '.p10 <= .median and .median <= .p90 and .p10 > 0 and .baseline > 0 and .samples >= 21'
check "the ratio and its goal decide what is met" row share.json "agreement share, 25519" '.met == (.ratio <= .goal)'
check "rows under load run against a service" json "throughput, decrypt" load.json
check "an answer costs the service more than a share alone" row load.json "throughput, decrypt, 64 clients" '.median > .baseline and .ratio < 1'
check "a goal of at least is met above it" row load.json "throughput, decrypt, 64 clients" '.goal_is == "at least" and .met == (.ratio >= .goal)'
check "signatures under load run, finished and verified now and then" json "throughput, sign" sign.json
check "a row without a goal is neither met nor missed" json "made ahead" info.json
check "and its goal is null" jq -e '.[0] | .met == null and .goal == null' "$DIR/info.json"
none() { bench --filter nonsense --json >"$DIR/none.json" 2>/dev/null; [ $? = 1 ] && jq -e '. == []' "$DIR/none.json"; }
check "no row is an empty list and a failure" none
check "every row has a name of its own" sh -c "[ \$($BENCH --list | sort | uniq -d | wc -l) = 0 ] && [ \$($BENCH --list | wc -l) -ge 20 ]"
usage() { "$BENCH" --time nonsense; [ $? = 2 ]; }
check "wrong usage ends with 2" usage

# --- the page and the comparison ---
page() { bench --filter "latency p50" --html "$DIR/page.html" >/dev/null && grep -q '<svg' "$DIR/page.html" && grep -q 'polyline' "$DIR/page.html" && ! grep -qE 'src=|href=|@import|url\(' "$DIR/page.html"; }
check "the page has a plot and needs nothing from elsewhere" page
same() { bench --filter "agreement share, 25519" --compare "$DIR/share.json" | grep -q 'agreement share, 25519 .*ratio'; }
check "a run is compared with an older one" same
worse() { jq '.[0] | .ratio = 0.1 | .ratio_p10 = 0.09 | .ratio_p90 = 0.11' -c "$DIR/share.json" | sed 's/^{"name":"\(.*\)","unit"/  {"name": "\1", "unit"/; s/":/": /g; s/": "/": "/g; s/": \+/": /g' >"$DIR/older.json"
    bench --filter "agreement share, 25519" --compare "$DIR/older.json" | grep -q WORSE; }
check "what is outside noise is marked" worse
not_rows() { bench --filter "agreement share, 25519" --compare /dev/null; [ $? = 1 ]; }
check "a file that is no run is refused" not_rows

# --- a service that runs elsewhere ---
"${BUILD:-build}/halfkeyd" --data "$DIR/service" --listen tcp://127.0.0.1:0 --quota 0 >"$DIR/ready" 2>/dev/null & service=$!
for _ in $(seq 200); do grep -q ready "$DIR/ready" && break; sleep 0.05; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
elsewhere() { bench --service "$address" --filter "throughput, decrypt" --json >"$DIR/elsewhere.json" && jq -e '.[0] | .median > 0 and .ratio == null and .met == null' "$DIR/elsewhere.json"; }
check "a running service is measured, without a ratio for what cannot be seen of it" elsewhere
gone() { [ "$(sqlite3 "$DIR/service/store.db" 'select count(*) from devices where state != 3')" = 0 ] && [ "$(sqlite3 "$DIR/service/store.db" 'select count(*) from devices')" = 1 ]; }
check "the device that was made for it is revoked afterwards" gone
check "and no folder is left behind" sh -c "! ls -d '$DIR'/halfkey-bench.* 2>/dev/null"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
