"""What the package uses of Keras and TensorFlow beyond their public names, each with a check.

Tried with Keras 3.15.1 and TensorFlow 2.21.0. When one of these tests fails after an upgrade, look
at the file that it names first, and then widen the bound in `pyproject.toml`.
"""

import ast
import inspect
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.jax import trainer as jax_trainer

import keras_imgen
from keras_imgen import files, saving
from keras_imgen.callbacks.resume import _MEMORY
from keras_imgen.callbacks.rollback import Rollback

TRIED = "Keras 3.15.1 and TensorFlow 2.21.0"
PACKAGE = Path(keras_imgen.__file__).parent


def network():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])


def compiled():
    model = network()
    model.compile("adam", "mse")
    return model


def arguments(function):
    return list(inspect.signature(function).parameters)


def layers_within():
    model = keras.Sequential([keras.Input((3,)), network()])
    return {type(layer).__name__ for layer in model._flatten_layers()} >= {"Dropout", "Dense"}


def variables_of_an_optimizer():
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    pairs = zip(model.optimizer._trainable_variables, model.trainable_variables, strict=True)
    return all(known is variable for known, variable in pairs)


def loss_tracker():
    model = compiled()
    return any(metric is model._loss_tracker for metric in model.metrics)


def symbolic_build():
    return arguments(keras.Model._symbolic_build)[1:] == ["iterator", "data_batch"]


def cached_evaluation():
    return "_use_cached_eval_dataset=True" in inspect.getsource(keras.Model.fit)


def state_of_jax():
    trainer = jax_trainer.JAXTrainer
    source = inspect.getsource(trainer.train_step)
    names = ["trainable_variables", "non_trainable_variables", "optimizer_variables"]
    places = [source.index(name) for name in names]
    test = inspect.getsource(trainer.test_step).partition("= state")[0]
    found = test.index("trainable_variables") < test.index("non_trainable_variables")
    taken = inspect.getsource(trainer._purge_model_variables)
    fit = inspect.getsource(trainer.fit)
    where = "v._value = None" in taken and "self._jax_state = None" in fit
    return places == sorted(places) and found and where and callable(trainer.jax_state_sync)


def threads_of_callbacks():
    source = inspect.getsource(keras.callbacks.CallbackList)
    return "async_safe" in source and "IS_THREAD_SAFE" in source


def order_of_saving(tmp_path):
    model = network()
    model.zz_last, model.aa_first = (keras.layers.Dense(1) for _ in range(2))
    seen = []
    for name in ("zz_last", "aa_first"):
        layer = getattr(model, name)
        layer.build((None, 1))
        layer.save_own_variables = lambda store, name=name: seen.append(name)
    model.save_weights(tmp_path / "model.weights.h5")
    return seen == ["aa_first", "zz_last"]


def memory_of_callbacks():
    kinds = {
        keras.callbacks.EarlyStopping: (),
        keras.callbacks.ReduceLROnPlateau: (),
        keras.callbacks.ModelCheckpoint: ("x.keras",),
    }
    found = []
    for kind, given in kinds.items():
        callback = kind(*given)
        callback.set_model(compiled())
        callback.set_params({"epochs": 1})
        callback.on_train_begin()
        found += [hasattr(callback, name) for name in _MEMORY[kind]]
    return all(found) and set(kinds) | {Rollback} == set(_MEMORY)


def keys_of_configurations():
    config = keras.saving.serialize_keras_object(compiled())
    return config.keys() >= {"module", "class_name", "config", "registered_name", "build_config"}


def members_of_files(tmp_path):
    with files.write_whole(tmp_path / "model.keras") as path:
        keras.saving.save_model(compiled(), path)
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        return set(archive.namelist()) == set(saving._REQUIRED)


def texts_of_errors(tmp_path):
    model = compiled()
    model.save_weights(tmp_path / "model.weights.h5")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    try:
        other.load_weights(tmp_path / "model.weights.h5")
    except ValueError as error:
        return str(error).startswith("A total of") and "\n\n" in str(error)
    return False


def text_of_a_skipped_optimizer(tmp_path):
    model = compiled()
    model.fit(np.zeros((2, 3)), np.zeros((2, 1)), verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    other = network()
    other.compile("sgd", "mse")
    other.optimizer.build(other.trainable_variables)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other.load_weights(tmp_path / "model.weights.h5")
    return any(str(warning.message).startswith("Skipping") for warning in caught)


def text_of_a_failed_class():
    config = {"module": "a.b", "class_name": "Nothing", "config": {}, "registered_name": "X>Y"}
    wrong = {"module": "keras.layers", "class_name": "Dense", "config": {"nothing": 1}}
    said = []
    for case in (config, wrong):
        try:
            keras.saving.deserialize_keras_object(case)
        except TypeError as error:
            said.append(str(error))
    return " Full object config" in said[0] and "Exception encountered: " in said[1]


def history_is_a_callback():
    model = compiled()
    history = model.fit(np.zeros((2, 3)), np.zeros((2, 1)), verbose=0)
    return history is model.history and isinstance(history, keras.callbacks.History)


def seeds_are_variables():
    model = network()
    states = [layer.seed_generator.state for layer in model.layers if hasattr(layer, "rate")]
    here = {id(variable) for variable in model.variables}
    return all(id(state) in here for state in states) and len(model.weights) == 2


def bare_model():
    model = keras.Model(name="any")
    before = set(vars(model))
    model.mine = keras.layers.Dense(1)
    more = {name for name in set(vars(model)) - before if not name.startswith("_self_")}
    return len(before) > 10 and more == {"mine"}


def layers_in_their_order():  # which PyTorch keeps apart from the other attributes
    model = keras.Model(name="any")
    first, second, third = (keras.layers.Dense(1) for _ in range(3))
    model.b, model.a = first, [second, third]
    return [layer for layer in model._layers if layer in (first, second, third)] == [
        first,
        second,
        third,
    ]


def call_of_a_layer():
    layer = keras.layers.BatchNormalization()
    layer.build((None, 1))
    original = layer.call
    layer.call = lambda *args, training=None, **kwargs: original(*args, training=True, **kwargs)
    by_batch = np.asarray(layer(np.array([[1.0], [3.0]], "float32"), training=False))
    del layer.call
    plain = np.asarray(layer(np.array([[1.0], [3.0]], "float32"), training=False))
    return np.allclose(by_batch, [[-1], [1]], atol=1e-2) and not np.allclose(plain, by_batch)


def draws_of_a_generator():
    class Twice(keras.random.SeedGenerator):
        def next(self, ordered=True):
            return 2 * super().next(ordered)

    draws = keras.random.SeedGenerator(3)
    draws.__class__ = Twice
    found = keras.random.normal((2,), seed=draws)
    return np.array_equal(found, keras.random.normal((2,), seed=6)) and draws.state.shape == (2,)


def scaled_optimizer():
    inner = keras.optimizers.SGD(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(inner)
    return scaled.inner_optimizer is inner and callable(scaled.finalize_variable_values)


def optimizers_with_averages():
    source = inspect.getsource(keras.callbacks.SwapEMAWeights)
    names = ("use_ema", "_trainable_variables", "_model_variables_moving_average")
    return all(name in source for name in (*names, "_distribution_strategy"))


def nodes_of_a_network():
    model = network()
    first, last = model.layers[0], model.layers[-1]
    history = model.outputs[0]._keras_history
    return history.operation is last and len(first._inbound_nodes) > 0


def no_strategy():
    name = type(compiled().distribute_strategy).__name__
    return name == "_DefaultDistributionStrategy" and hasattr(tf.distribute, "OneDeviceStrategy")


def layers_without_xla():
    layer = keras.layers.Dense(1)
    layer.supports_jit = False
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse", jit_compile="auto")
    return model.jit_compile is False and keras.layers.Dense(1).supports_jit is True


def direction_of_a_metric():
    from keras.src.callbacks import monitor_callback

    return "_direction" in inspect.getsource(monitor_callback)


def state_of_onednn():
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled() in (False, True)


def reading_of_datasets():
    from keras.src.trainers.data_adapters import get_data_adapter
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    given = PyDatasetAdapter(keras_imgen.load_arrays(np.zeros((2, 3, 3, 1), "float32")))
    read = given.get_tf_dataset()
    return get_data_adapter(given) is given and isinstance(read, tf.data.Dataset)


USED = {  # what is relied upon: where
    layers_within: "training/parts.py, stored.py",
    variables_of_an_optimizer: "training/parts.py",
    loss_tracker: "gan.py",
    symbolic_build: "restoration.py",
    cached_evaluation: "training/model.py",
    state_of_jax: "backends/jax.py, training/guard.py",
    threads_of_callbacks: "training/pictures.py",
    order_of_saving: "training/stored.py",
    memory_of_callbacks: "callbacks/resume.py",
    keys_of_configurations: "training/setup.py",
    members_of_files: "saving.py",
    texts_of_errors: "saving.py",
    text_of_a_skipped_optimizer: "training/stored.py",
    text_of_a_failed_class: "saving.py",
    history_is_a_callback: "callbacks/resume.py",
    seeds_are_variables: "training/stored.py",
    bare_model: "training/stored.py",
    layers_in_their_order: "training/stored.py",
    call_of_a_layer: "training/parts.py",
    draws_of_a_generator: "backends/__init__.py",
    scaled_optimizer: "training/players.py",
    optimizers_with_averages: "training/players.py",
    nodes_of_a_network: "training/parts.py",
    no_strategy: "backends/tensorflow.py",
    layers_without_xla: "degradations/noise.py",
    direction_of_a_metric: "metrics/restoration.py",
    state_of_onednn: "processor.py",
    reading_of_datasets: "backends/tensorflow.py",
}


@pytest.mark.parametrize("used", USED, ids=lambda used: used.__name__)
def test_it_is_as_it_was(used, tmp_path):
    try:
        there = used(*([tmp_path] if arguments(used) else []))
    except Exception as error:
        there, reason = False, f" ({type(error).__name__}: {error})"
    else:
        reason = ""
    assert there, (
        f"Keras {keras.__version__} or TensorFlow {tf.__version__} has changed what "
        f"{USED[used]} relies on, {used.__name__.replace('_', ' ')}{reason}; it was tried with "
        f"{TRIED}."
    )


def test_no_other_private_name_is_used():
    defined, used = set(), {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                if isinstance(node.ctx, ast.Store):
                    defined.add(node.attr)
                elif not node.attr.startswith("__"):
                    used.setdefault(node.attr, set()).add(file.name)
    strangers = used.keys() - defined - {"_replace"}  # of a named tuple, which is public
    named = {"_flatten_layers", "_inbound_nodes", "_keras_history", "_layers"}
    named |= {"_trainable_variables", "_value"}
    assert "_flatten_layers" in strangers <= named


def test_the_bound_is_what_was_tried():
    text = (PACKAGE.parent / "pyproject.toml").read_text()
    assert '"keras>=3.15,<3.16"' in text
    assert '"tensorflow>=2.20,<2.22"' in text
