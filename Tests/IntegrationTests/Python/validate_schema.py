"""Validates documents against a JSON Schema with the jsonschema package and prints one JSON list of problems a document.

usage: validate_schema.py SCHEMA DOCUMENT...
Documents are JSON or YAML; YAML texts stay as PyYAML's base loader reads them where they are quoted.
"""
import json
import sys

import jsonschema
import yaml


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    results = []
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
        results.append([error.json_path + ": " + error.message for error in validator.iter_errors(document)])
    print(json.dumps(results))


if __name__ == "__main__":
    main()
