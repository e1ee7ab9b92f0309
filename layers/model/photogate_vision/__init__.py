"""All of Photogate that looks at pixels, and nothing else does."""

import os

# onnxruntime reports to its maker since 1.29, unless this is set before it is imported;
# later is too late. Nothing about the photos may leave this machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
