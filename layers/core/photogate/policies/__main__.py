"""``python -m photogate.policies`` writes the published JSON Schema anew."""

import json
from pathlib import Path

from photogate.policies.document import schema

path = Path(__file__).with_name("schema.json")
path.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
