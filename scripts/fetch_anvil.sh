#!/bin/sh
# Puts the anvil node (Foundry, MIT/Apache-2.0) where the tests look for it. Needs npm and a network
# once; Node itself is not needed to run the binary. Tests that want it are skipped without it.
set -eu
version=1.7.1
tools="${TWINPROOF_TOOLS:-$HOME/.cache/twinproof-tools}"
target="$tools/anvil-$version"
if [ -x "$target/anvil" ]; then
  echo "$target/anvil"
  exit 0
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "@foundry-rs/anvil-linux-amd64@$version" >/dev/null
tar -xzf ./*.tgz
mkdir -p "$target"
# Into place by one rename: an interrupted run leaves nothing half-written behind.
cp package/bin/anvil "$target/anvil.part"
chmod +x "$target/anvil.part"
mv "$target/anvil.part" "$target/anvil"
echo "$target/anvil"
