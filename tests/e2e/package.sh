#!/bin/bash
# What a user installs: `make install` and the Debian package, and that both hold programs that run, manuals and completions.
set -u
cd "$(dirname "$0")/../.." || exit 2
export BUILD=${BUILD:-build}
DIR=$(mktemp -d /tmp/halfkey-package.XXXXXX)
trap 'rm -rf "$DIR"' EXIT
passed=0; failed=0
check() {
    local what=$1; shift
    if "$@" >"$DIR/out" 2>&1; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what"; tail -n 5 "$DIR/out"; fi
}
version=$(sed -n 's/^#define HK_VERSION "\(.*\)"/\1/p' protocol/version.h)
check "make deb" packaging/deb
check "dpkg-deb unpacks it" dpkg-deb -x "$BUILD"/halfkey_"$version"_*.deb "$DIR/root"
for program in halfkey halfkeyd halfkey-bench; do
    check "$program runs from the package" "$DIR/root/usr/bin/$program" --help
done
for page in halfkey.1 halfkey-bench.1 halfkeyd.8 age-plugin-halfkey.1 halfkey-scd.1; do
    check "$page is in the package" test -s "$DIR/root/usr/share/man/man${page##*.}/$page.gz"
done
check "age finds its plugin in the package" test -x "$DIR/root/usr/bin/age-plugin-halfkey"
check "gpg-agent finds its card" test -x "$DIR/root/usr/bin/halfkey-scd"
for unit in halfkey-agent.socket halfkey-agent.service; do check "$unit is in the package" test -s "$DIR/root/usr/lib/systemd/user/$unit"; done
says() { [ "$("$@" --version)" = "${1##*/} $version" ]; }
check "halfkey says its version" says "$DIR/root/usr/bin/halfkey"
check "halfkeyd says its version" says "$DIR/root/usr/bin/halfkeyd"
depends() { # every library that the programs name comes from a package that the control file names
    local library package
    for library in $(ldd "$DIR"/root/usr/bin/halfkey* | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u); do
        objdump -p "$DIR"/root/usr/bin/halfkey* | grep -q "NEEDED *${library##*/}" || continue
        package=$(dpkg-query -S "*${library##*/}" | sed 's/:.*//' | sort -u)
        echo "$library $package"
        dpkg-deb -f "$BUILD"/halfkey_"$version"_*.deb Depends | tr ',' '\n' | grep -qF " $package " ||
            dpkg-deb -f "$BUILD"/halfkey_"$version"_*.deb Depends | grep -q "^$package " || return 1
    done
}
check "the package depends on every library that its programs need" depends
for page in docs/man/*.[18]; do check "mandoc reads $page" mandoc -T lint -W warning "$page"; done

# --- completion, as bash would ask for it ---
completes() { # EXPECTED WORD...: what is offered for the last word
    local expected=$1; shift
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _halfkey; printf "%s " "${COMPREPLY[@]}"' \
        _ "$DIR/root/usr/share/bash-completion/completions/halfkey" "$@" | grep -qw -- "$expected"
}
suites_complete() { # all that a user can name, from the table itself
    local suites suite
    suites=$(sed -nE 's/^ *\{HK_SUITE_[A-Z0-9_]*, "([^"]*)", HK_PURPOSE_(AGREE|SIGN),.*/\1/p' crypto/suite.c)
    [ "$(wc -w <<<"$suites")" -ge 5 ] || return 1
    for suite in $suites; do completes "$suite" halfkey key create files --suite "$suite" || return 1; done
}
check "completion offers commands" completes device halfkey de
check "completion offers a command's second word" completes create halfkey key c
check "completion offers options" completes --suite halfkey key create --su
check "completion offers an option's values" completes ssh halfkey key export --format ss
check "completion offers the suites" completes ed25519 halfkey key create files --suite ed
check "completion offers every suite that can be made" suites_complete
check "completion offers what a key may be used for" completes ask halfkey key allow git --forwarded a
check "completion is not confused by a longer command" completes --yes halfkey log accept --
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
