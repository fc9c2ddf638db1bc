import pytest

from snndeploy import shelf
from snndeploy.errors import ModelError, TargetError

SHIPPED = ", ".join(shelf.target_names())


def test_shipped_targets():
    assert shelf.target_names() == sorted(shelf.target_names())
    assert {"loihi1", "loihi2"} <= set(shelf.target_names())
    assert shelf.target_path("loihi2").name == "loihi2.toml"


def test_unknown_target():
    with pytest.raises(TargetError) as caught:
        shelf.target_path("lohi2")
    assert str(caught.value) == (
        f"unknown target 'lohi2' (shipped: {SHIPPED}), did you mean 'loihi2'?"
    )


def test_missing_target_file():
    with pytest.raises(TargetError) as caught:
        shelf.target_path("chips/mine.toml")
    assert str(caught.value) == (f"target file chips/mine.toml does not exist (shipped: {SHIPPED})")


def test_a_users_own_target(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("")
    assert shelf.target_path(path) == path


def test_every_shipped_model_is_complete():
    for entry in shelf.catalog():
        assert (entry.folder / entry.spec.split(":")[0]).is_file(), entry.name
        assert entry.description and entry.paper and entry.input_shape, entry.name
        for path in (entry.weights, entry.test_data, entry.calibration_data):
            assert path is None or path.is_file(), f"{entry.name}: {path}"


def test_the_demo_model_has_weights_and_data():
    entry = shelf.model_entry("gac-digits")
    assert entry.weights and entry.test_data and entry.calibration_data
    assert entry.file_spec == f"{shelf.models_folder()}/{entry.spec}"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """An empty package, with a models folder beside it as in a raw checkout."""
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(shelf, "PACKAGE", tmp_path / "snndeploy")
    return tmp_path / "models"


def write(models, text):
    (models / "catalog.toml").write_text(text)


def test_an_entry_with_every_key(models):
    write(
        models,
        '[[model]]\nname = "tiny"\nspec = "tiny.py:build()"\nweights = "weights/tiny.safetensors"\n'
        'paper = "none"\ndescription = "two layers"\ninput_shape = [1, 8, 8]\n'
        'input_signal = "real"\ntest = "data/t.npz"\ncalibration = "data/c.npz"\n',
    )
    assert shelf.catalog() == [
        shelf.ModelEntry(
            name="tiny",
            spec="tiny.py:build()",
            folder=models,
            description="two layers",
            paper="none",
            weights=models / "weights/tiny.safetensors",
            input_shape=(1, 8, 8),
            input_signal="real",
            test_data=models / "data/t.npz",
            calibration_data=models / "data/c.npz",
        )
    ]


def test_optional_keys_may_be_absent(models):
    write(models, '[[model]]\nname = "tiny"\nspec = "tiny.py:build()"\n')
    entry = shelf.model_entry("tiny")
    assert (entry.weights, entry.input_shape, entry.test_data) == (None, None, None)
    assert (entry.description, entry.paper, entry.input_signal) == ("", "", "")


def test_the_package_comes_before_the_folder_beside_it(models):
    inside = shelf.PACKAGE / "models"
    inside.mkdir(parents=True)
    assert shelf.models_folder() == inside


def test_unknown_model(models):
    write(models, '[[model]]\nname = "gac-digits"\nspec = "gac.py:build()"\n')
    with pytest.raises(ModelError) as caught:
        shelf.model_entry("gac-digit")
    assert str(caught.value) == (
        "unknown model 'gac-digit' (shipped: gac-digits), did you mean 'gac-digits'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "x"', "{path}: write each model as a [[model]] table"),
        ('model = ["x"]', "{path}: write each model as a [[model]] table"),
        ("[[model]]\n", "{path}: model number 1 has no name"),
        ('[[model]]\nname = "a"\n', "{path}: model a has no spec"),
        (
            '[[model]]\nname = "a"\nspec = "a.py"\ninput_shape = [0]\n',
            "{path}: model a has input [0]; write a list of sizes",
        ),
        (
            '[[model]]\nname = "a"\nspec = "a.py"\nweights = 3\n',
            "{path}: model a has weights 3; write a file name",
        ),
        (
            "[[model]",
            "cannot read the model catalog {path}: TOMLDecodeError: "
            "Expected ']]' at the end of an array declaration (at line 1, column 8)",
        ),
    ],
)
def test_a_broken_catalog(models, text, message):
    write(models, text)
    with pytest.raises(ModelError) as caught:
        shelf.catalog()
    assert str(caught.value) == message.format(path=models / "catalog.toml")


def test_a_missing_folder(models):
    models.rmdir()
    with pytest.raises(ModelError) as caught:
        shelf.catalog()
    assert str(caught.value) == (
        f"the shipped models folder is missing from {shelf.PACKAGE}; reinstall snndeploy"
    )
