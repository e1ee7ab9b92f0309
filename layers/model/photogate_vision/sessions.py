"""Opens ONNX files, the same way for every model."""

from __future__ import annotations

import platform
from pathlib import Path

import onnxruntime

from photogate.errors import ConfigError


def open_session(
    path: Path, *, threads: int, exact: bool = False, way_out: str = "run `make model`"
) -> onnxruntime.InferenceSession:
    """Load a model that was verified before.

    Args:
        path: the ONNX file.
        threads: threads for one run.
        exact: use exact int8 kernels, see ``needs_exact_products``.
        way_out: what an error ends with.

    Raises:
        ConfigError: onnxruntime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; they are raised as well
    # Waiting threads sleep: other processes want the processor more.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base
        raise ConfigError(f"{path} cannot be loaded ({first_line(error)}): {way_out}") from error


def needs_exact_products(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether int8 sums need the slower, exact kernels on this processor.

    x86 without VNNI adds uint8 x int8 products in pairs, in 16 bits, and cuts off what
    does not fit: there a mobilenet_v2 of this kind drifted by .021 on average.
    ``session.x64quantprecision`` multiplies uint8 x uint8 instead, which is exact. On an
    emulated Haswell (November 2026) the shipped mobilenet_v2 scored 60 pictures alike
    both ways, while weights and pixels at their limits lost half of the sum; so nothing
    but the option guarantees it. With VNNI the usual kernels are exact, and the option
    would cost time only (4.2 ms instead of 1.65 ms); on ARM onnxruntime ignores it.
    Where the processor cannot be asked, exact wins.
    """
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return False
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return True
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return not {"avx512_vnni", "avx_vnni"} & set(flags)


def first_line(error: Exception) -> str:
    """Give the first line of what onnxruntime says, which says it all."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
