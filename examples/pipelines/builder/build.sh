#!/usr/bin/env bash
# Builds what Groundswell asks for, and pushes it under the tag that it names and no other.
#
# Wants the GS_ parameters as variables, git, docker, and a login to GS_REGISTRY. They are other people's words:
# each is quoted, and none is ever part of a command.
set -euo pipefail

image="$GS_REGISTRY/$GS_REPOSITORY:$GS_TAG"
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT

git init --quiet "$source"
git -C "$source" fetch --quiet --depth 1 "$GS_SOURCE" "${GS_REF:-HEAD}"
git -C "$source" checkout --quiet FETCH_HEAD
context="$source/${GS_PATH:-.}"

options=(--pull --platform "$GS_PLATFORM" --file "$context/$GS_DOCKERFILE" --tag "$image")
if [ -n "${GS_TARGET:-}" ]; then options+=(--target "$GS_TARGET"); fi
if [ "${GS_NO_CACHE:-}" = true ]; then options+=(--no-cache); fi
while IFS= read -r argument; do
  if [ -n "$argument" ]; then options+=(--build-arg "$argument"); fi
done <<<"${GS_BUILD_ARGS:-}"

docker build "${options[@]}" "$context"
docker push "$image"
