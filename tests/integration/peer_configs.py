"""Run by the peer's Python: reads paths of configs, prints for each a line of JSON, the checked config in full or null."""

import json
import pathlib
import sys
import warnings

import ruamel.yaml
from hawk.core.types import EvalSetConfig, ScanConfig

warnings.simplefilter("ignore")
reader = ruamel.yaml.YAML(typ="safe")
for path in map(pathlib.Path, sys.argv[1:]):
    kind = ScanConfig if path.name.startswith("scan-") else EvalSetConfig
    try:
        text = path.read_bytes()
        document = json.loads(text) if path.suffix == ".json" else reader.load(text)
        print(json.dumps(kind.model_validate(document).config_dict()))
    except Exception:  # noqa: BLE001 - whatever it is, the config is refused
        print("null")
