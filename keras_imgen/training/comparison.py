"""Tells whether two models are built and compiled alike, whatever Keras called their parts."""

import json

import keras

# Names are numbered by Keras as it goes; seeds are brought back with the weights.
_INCIDENTAL = {"build_config", "format", "module", "name", "registered_name", "seed"}
_INCIDENTAL |= {"shared_object_id"}


def setup_of(model) -> dict:
    """Return what a model is built of and how it is compiled, comparable between processes."""
    return canonical(keras.saving.serialize_keras_object(model))


def canonical(config: dict) -> dict:
    """Return a saved configuration with numbers in place of names, and without incidentals."""
    config = json.loads(json.dumps(config))
    names = {}
    _collect(config, names)
    return _without_names(config, names)


def differences(there, here, path: str = "") -> list[str]:
    """Return one phrase for each place where two configurations differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        return [
            phrase
            for key in {**there, **here}
            for phrase in differences(
                there.get(key), here.get(key), path if key == "config" else f"{path}.{key}"
            )
        ]
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        return [
            phrase
            for index, pair in enumerate(zip(there, here, strict=True))
            for phrase in differences(*pair, f"{path}[{index}]")
        ]
    if there == here:
        return []
    if isinstance(there, list) and isinstance(here, list):
        return [f"{path.lstrip('.')} had {len(there)} entries and has {len(here)}"]
    return [f"{path.lstrip('.')} was {_short(there)} and is {_short(here)}"]


def _collect(part, names):
    """Number every name in the order of its first appearance."""
    if isinstance(part, dict):
        if isinstance(part.get("name"), str):
            names.setdefault(part["name"], f"#{len(names)}")
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            _collect(child, names)


def _without_names(part, names):
    if isinstance(part, dict):
        return {k: _without_names(v, names) for k, v in part.items() if k not in _INCIDENTAL}
    if isinstance(part, list):
        return [_without_names(child, names) for child in part]
    return names.get(part, part) if isinstance(part, str) else part


def _short(value) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    text = "missing" if value is None else text
    return text if len(text) <= 60 else f"{text[:60]} ..."
