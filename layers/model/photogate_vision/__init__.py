"""All of Photogate that looks at pixels, and nothing else does."""

import os

# onnxruntime reports to its maker since 1.29, unless this is set before it is imported;
# calling it off afterwards is too late. What is moderated here is nobody else's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
