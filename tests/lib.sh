# shellcheck shell=bash
# Shared by ./demo and the scripts in tests/: messages, the folder into which tests/setup puts programs, and the
# installation of Debian packages. It is sourced in the root of the repository.

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# Links to the programs that tests start and that no Debian package puts into PATH.
programs=$target/programs
PATH=$programs:$PATH

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs Debian packages without starting any service of theirs.
install_packages() {
    local policy=/usr/sbin/policy-rc.d command="apt-get install --no-install-recommends $*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    command -v apt-get >/dev/null || fail "apt-get is missing: install the programs of the Debian packages $* by hand"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || fail "only root can install packages here: as root, run $command"
    as_root true || fail "sudo does not let $(id -un) install packages: as root, run $command"
    say "installing the Debian packages $*"
    as_root "${apt[@]}" update || say "apt-get update failed; the package lists that are there are used"
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root "${apt[@]}" install -y --no-install-recommends "$@" || fail "the packages could not be installed: $command"
    if [ -n "$(trap -p EXIT)" ]; then
        as_root rm -f "$policy"
        trap - EXIT
    fi
}

# Fails unless there is a Rust that is new enough for Cargo.toml.
require_rust() {
    local wanted found
    # The installer of rustup changes PATH for later logins only.
    command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    command -v cargo >/dev/null || fail "cargo is missing: install Rust, see https://rustup.rs"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d ' ' -f 2) || fail "rustc does not run: install Rust, see https://rustup.rs"
    printf '%s\n' "$wanted" "$found" | sort -V -C ||
        fail "Rust $wanted or later is needed, this is $found: run rustup update, or see https://rustup.rs"
}

# True if there are make and a C compiler that can link.
compiler_works() {
    local work status=0
    command -v cc >/dev/null && command -v make >/dev/null || return 1
    work=$(mktemp -d)
    echo 'int main(void) { return 0; }' | cc -x c -o "$work/program" - 2>/dev/null || status=1
    rm -r "$work"
    return $status
}

compiler=(gcc libc6-dev make)
compiler_reason="Rust links with the C compiler, which also builds the cryptography of TLS and, by make, the allocator"
