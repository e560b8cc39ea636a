#!/usr/bin/env bash
# What the suite needs beside Python: Mosquitto and its tools, Chromium, curl, and Node with TimescaleDB in WebAssembly,
# the schemas of AsyncAPI, and axe-core.
# Installs Debian's packages when they are missing and we may; downloads no browser and no toolchain.
# Where CI is set a missing part is an error; elsewhere the tests that need it say so.
set -euo pipefail
cd "$(dirname "$0")"
PATH="$PATH:/usr/sbin:/usr/local/sbin"

has() { command -v "$1" >/dev/null 2>&1; }

gone() {
    echo "tests/setup.sh: $1" >&2
    [ -z "${CI:-}" ] || exit 1
}

packages=()
has mosquitto || packages+=(mosquitto)
has chromium || has chromium-browser || has google-chrome || packages+=(chromium)
has node || packages+=(nodejs)
has npm || packages+=(npm)
has mosquitto_pub || packages+=(mosquitto-clients)
has curl || packages+=(curl)

if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && has apt-get; then
        echo "tests/setup.sh: installing ${packages[*]}"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -q && apt-get install -q -y --no-install-recommends "${packages[@]}"; } ||
            gone "could not install: ${packages[*]}"
    else
        gone "missing: ${packages[*]} (on Debian, as root: apt-get install ${packages[*]})"
    fi
fi

for part in timescale asyncapi axe; do
    if has npm && [ support/$part/package-lock.json -nt support/$part/node_modules/.package-lock.json ]; then
        (cd support/$part && npm ci --no-audit --no-fund --loglevel=error) || gone "npm ci failed in tests/support/$part"
    fi
done
