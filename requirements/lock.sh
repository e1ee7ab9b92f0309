#!/bin/sh
# Writes run.txt and dev.txt anew from the three pyproject.toml. Needs uv; run it from the root.
set -eu
lock() {
    out=$1
    shift
    uv pip compile pyproject.toml layers/core/pyproject.toml layers/model/pyproject.toml "$@" \
        --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --no-header --no-emit-package photogate --no-emit-package photogate-vision \
        --quiet --output-file "requirements/$out"
}
lock run.txt --group build
lock dev.txt --group build --group dev --constraint requirements/run.txt
# Sample photographs only: the package's own dependencies are not wanted.
echo 'scikit-image==0.26.0' | uv pip compile - --no-deps \
    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
    --no-header --quiet --output-file requirements/samples.txt
