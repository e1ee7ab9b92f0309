"""Notes the range of every activation that becomes uint8. For maintainers.

    python layers/model/build/calibrate.py [NAME …]

Runs the float32 model over the pictures of ``crops.calibration`` and writes
``calibration/<name>.json``, which is committed. Users' machines never do this:
float sums differ between processors in the last digit, and with them the ranges
would, and the digest of the model. Needs ``requirements/model-calibrate.txt``.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import crops
from network import INPUT, Network
from quantize import Range, calibrated_nodes
from sources import SOURCES, Source
from tfjs_to_onnx import float_model

CALIBRATION = Path(__file__).parent / "calibration"
#: Digits that are kept: a thousand times finer than the 256 steps of uint8.
_DIGITS = 6


def main(names: list[str]) -> None:
    """Calibrate the models that are named, or all of them."""
    for name in names or SOURCES:
        source = SOURCES[name]
        with tempfile.TemporaryDirectory() as folder:
            network = source.network(source.fetch(Path(folder)), name)
        ranges = measure(network, source)
        path = CALIBRATION / f"{name}.json"
        path.write_text(json.dumps(ranges, indent=1) + "\n")
        print(f"{path.name}: {len(ranges)} ranges")  # noqa: T201  (a command line)


def measure(network: Network, source: Source) -> dict[str, Range]:
    """Least and greatest output of each calibrated node over the pictures."""
    names = calibrated_nodes(network)
    model = onnx.load_model_from_string(float_model(network, "calibration"))
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for picture in crops.calibration(network.size):
        outputs = session.run(names, {INPUT: source.values(picture)})
        low = np.minimum(low, [output.min() for output in outputs])
        high = np.maximum(high, [output.max() for output in outputs])
    return {
        name: (float(f"{least:.{_DIGITS}g}"), float(f"{greatest:.{_DIGITS}g}"))
        for name, least, greatest in zip(names, low, high, strict=True)
    }


if __name__ == "__main__":
    main(sys.argv[1:])
