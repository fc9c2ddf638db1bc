"""Import of lava-dl `.net` files: what the layers become, and every refusal in one line."""

import h5py
import numpy as np
import pytest

from snndeploy.connections import Conv, Dense
from snndeploy.engines.reference import run_reference
from snndeploy.errors import DeployError, ModelError, UnsupportedError
from snndeploy.frontend.netx.reader import InputNeuron, load_netx

LIF = {"type": "LOIHI", "iDecay": 4096, "vDecay": 1024, "vThMant": 25, "refDelay": 1}


def dense(outputs, inputs, seed=0, **fields):
    weight = np.random.default_rng(seed).integers(-60, 60, (outputs, inputs)) * 2
    return {
        "type": "dense", "shape": [outputs, 1, 1], "weight": weight.astype(np.float32),
        "neuron": LIF, **fields,
    }  # fmt: skip


def conv(shape, weight_shape, seed=0, **fields):
    weight = np.random.default_rng(seed).integers(-60, 60, weight_shape) * 2
    return {
        "type": "conv", "shape": list(shape), "weight": weight.astype(np.float32),
        "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "neuron": LIF,
        **fields,
    }  # fmt: skip


def without(layer, *names):
    return {name: value for name, value in layer.items() if name not in names}


INPUT = {"type": "input", "shape": [2, 4, 5]}
SPIKING_INPUT = {**INPUT, "neuron": LIF, "weight": np.float32([36]), "bias": np.float32([34])}
FLATTEN = {"type": "flatten", "shape": [40, 1, 1]}


def write(group, content):
    for name, value in content.items():
        if isinstance(value, dict):
            write(group.create_group(name), value)
        elif name == "type":
            group.create_dataset(name, data=np.array([value.encode()], dtype="S10"))
        else:
            group.create_dataset(name, data=value)


@pytest.fixture
def net(tmp_path):
    def build(*layers, change=None):
        path = tmp_path / "a.net"
        with h5py.File(path, "w") as file:
            write(file, {"layer": {str(index): layer for index, layer in enumerate(layers)}})
            if change is not None:
                change(file)
        return path

    return build


def refusal(path, kind=ModelError, **options):
    with pytest.raises(kind) as caught:
        load_netx(path, options.pop("timesteps", 4), **options)
    return str(caught.value)


# --- what layers become -------------------------------------------------------------------------


def test_a_chain(net):
    path = net(INPUT, conv((3, 2, 3), (3, 2, 3, 3), bias=np.float32([2, -4, 6])),
               {"type": "flatten", "shape": [18]}, dense(4, 18))  # fmt: skip
    network = load_netx(path, 6)
    source, plane, last = network.populations
    assert [p.name for p in network.populations] == ["input0", "conv1", "dense3"]
    assert [p.depth for p in network.populations] == [0, 1, 2]
    assert (source.neuron.name, source.shape, source.neuron.payload_bound) == (
        "input",
        (2, 4, 5),
        1,
    )
    assert (plane.shape, plane.neuron.threshold, plane.neuron.membrane_decay) == (
        (3, 2, 3),
        25,
        1024,
    )
    assert (plane.neuron.current_decay, plane.bias_exponent) == (4096, 6)
    assert plane.bias.tolist() == [2, -4, 6]
    assert last.shape == (4, 1, 1) and last.origin == "layer/3"
    first, second = network.projections
    assert isinstance(first.connection, Conv) and first.connection.weight.dtype == np.int8
    assert second.connection.weight.shape == (4, 3, 2, 3)  # columns in (C, H, W) order
    assert (network.injections[0].mode, network.readout.kind) == ("spikes", "count")
    assert network.readout.scale == 1 / 6


def test_strides_are_vertical_first(net):
    layer = conv((3, 2, 5), (3, 1, 3, 1), stride=[2, 1], padding=[1, 0], groups=1)
    path = net({"type": "input", "shape": [4, 5]}, layer)  # a matrix is one channel
    connection = load_netx(path, 4).projections[0].connection
    assert (connection.stride, connection.padding) == ((2, 1), (1, 0))


def test_large_even_weights_stay_as_the_chip_stores_them(net):
    weight = np.float32([[-256, 254], [0, 2]])
    path = net(dense(2, 2, weight=weight))
    projection = load_netx(path, 4).projections[0]
    assert projection.exponent == 0 and projection.connection.weight.dtype == np.int16
    assert projection.connection.weight.reshape(2, 2).tolist() == weight.tolist()


def test_timesteps_of_the_file(net):
    path = net(dense(3, 5), change=lambda file: write(file, {"simulation": {"tSample": 16}}))
    assert load_netx(path).timesteps == 16
    assert load_netx(path, 7).timesteps == 7


def test_a_flat_weight_takes_its_shape_from_the_layer(net):
    path = net(dense(4, 1, weight=np.zeros(20, dtype=np.float32)))
    assert load_netx(path, 4).populations[0].shape == (5, 1, 1)


def test_spiking_input_applies_its_affine_map(net):
    network = load_netx(net(SPIKING_INPUT, conv((3, 2, 3), (3, 2, 3, 3))), 4)
    source, injection = network.populations[0], network.injections[0]
    assert (source.neuron.name, source.bias.tolist(), source.bias_exponent) == ("lif", [34, 34], 6)
    assert (injection.mode, injection.multiplier, injection.exponent) == ("bias", 36.0, 6)
    # 64 * (rint(36 * 0.5) + 34) = 3328 > 64 * 25 in the first step
    real = np.full((1, 2, 4, 5), 0.5)
    activity = run_reference(network, {0: injection.quantize(real)})
    assert activity.spikes["input0"][0, 0].all()


def test_ready_mantissas(net):
    path = net(SPIKING_INPUT, conv((3, 2, 3), (3, 2, 3, 3)))
    network = load_netx(path, 4, apply_input_transform=False)
    assert network.populations[0].bias is None and network.injections[0].multiplier == 1


def test_input_neuron_for_a_file_without_one(net):
    neuron = InputNeuron(threshold=255, weight=255, bias=3)
    for path in (net(dense(3, 5)), net({"type": "input", "shape": [5]}, dense(3, 5))):
        source = load_netx(path, 4, input_neuron=neuron).populations[0]
        assert (source.neuron.name, source.neuron.threshold, source.bias[0]) == ("lif", 255, 3)


def test_recurrence_is_one_step_late(net):
    """SLAYER: z = W s_in[t] + R s_out[t-1] (utils/recurrent.py)."""
    layer = dense(5, 4, seed=3)
    layer |= {"type": "dense_rec", "weight_rec": dense(5, 5, seed=4)["weight"]}
    network = load_netx(net(layer), 12)
    assert network.is_recurrent
    sent = np.random.default_rng(5).integers(0, 2, (1, 12, 4, 1, 1))
    ours = run_reference(network, {0: sent}).spikes["dense_rec0"][0, :, :, 0, 0]
    v, spikes = np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64)
    weight, back = layer["weight"].astype(np.int64), layer["weight_rec"].astype(np.int64)
    for tau in range(12):
        a = weight @ sent[0, tau, :, 0, 0] + back @ spikes
        v = np.sign(v) * (np.abs(v) * 3072 >> 12) + 64 * a
        spikes = (v > 25 * 64).astype(np.int64)
        v[spikes > 0] = 0
        assert np.array_equal(ours[tau], spikes)
    assert ours.any() and not ours.all()


def test_own_delays_sit_on_the_axons(net):
    first = dense(3, 4, delay=np.float32([0, 7, 80]))
    second = dense(3, 3, delay=np.float32([1, 2, 3]))
    network = load_netx(net(first, second), 4)
    assert [p.name for p in network.populations] == ["input", "dense0", "dense1", "dense1.delayed"]
    delays = [p.axonal_delay for p in network.projections]
    assert delays[0] is None
    assert [d.tolist() for d in delays[1:]] == [[0, 7, 62], [1, 2, 3]]
    assert network.readout.population == "dense1.delayed"
    assert network.notes == ("dense0: delays up to 80 clipped to 62, as NetX does",)


def test_delays_per_channel_and_of_the_inputs(net):
    plane = conv((3, 2, 3), (3, 2, 3, 3), delay=np.float32([0, 1, 2]))
    behind = dense(4, 18, delay=np.arange(18, dtype=np.float32))
    network = load_netx(net(INPUT, plane, {"type": "flatten", "shape": [18, 1, 1]}, behind), 4)
    expected = np.arange(18) + np.repeat([0, 1, 2], 6)
    assert network.projections[1].axonal_delay.tolist() == expected.tolist()


def test_a_square_delay_matrix_means_the_inputs(net):
    delay = np.tile(np.float32([3, 0, 1]), (3, 1))
    assert load_netx(net(dense(3, 3, delay=delay)), 4).projections[0].axonal_delay.tolist() == [
        3, 0, 1,
    ]  # fmt: skip


def test_last_dense_layer_without_neuron_is_an_integrator(net):
    network = load_netx(net(without(dense(2, 3), "neuron")), 4)
    last = network.populations[-1]
    assert (last.neuron.name, last.neuron.current_decay, last.neuron.membrane_decay) == (
        "integrator",
        4096,
        0,
    )
    assert (network.readout.kind, network.readout.scale) == ("membrane", 1 / 4096)
    wide = load_netx(net(without(dense(2, 3, bias=np.float32([4, 4])), "neuron")), 4)
    last = wide.populations[-1]  # NetX adds the bias once, to v = u + bias
    assert (last.neuron.current_decay, last.neuron.membrane_decay) == (0, 4096)


def test_both_integrator_forms_are_equal(net):
    path = net(without(dense(2, 3), "neuron"))
    with h5py.File(path, "a") as file:
        neuron = {**LIF, "type": "CUBA", "iDecay": 0, "vDecay": 4096, "vThMant": 131072}
        write(file["layer/0"], {"neuron": neuron})
    as_netx = load_netx(path, 9)
    legal = load_netx(net(without(dense(2, 3), "neuron")), 9)
    assert as_netx.populations[-1].neuron.current_decay == 0
    sent = np.random.default_rng(1).integers(0, 2, (3, 9, 3, 1, 1))
    assert np.array_equal(
        run_reference(as_netx, {0: sent}).outputs, run_reference(legal, {0: sent}).outputs
    )


def test_average_reads_group_rates(net):
    network = load_netx(net(dense(6, 4), {"type": "average", "shape": [2, 1, 1]}), 5)
    sent = np.random.default_rng(1).integers(0, 2, (2, 5, 4, 1, 1))
    activity = run_reference(network, {0: sent})
    rates = activity.spikes["dense0"].reshape(2, 5, 2, 3).mean(axis=(1, 3))
    assert np.allclose(activity.outputs * network.readout.scale, rates)
    assert rates.any()


def test_pool_is_one_kernel_for_all_channels(net):
    pool = conv((2, 2, 2), (1, 1, 2, 2), type="pool", stride=[2, 2])
    network = load_netx(net({"type": "input", "shape": [2, 4, 4]}, without(pool, "groups")), 4)
    connection = network.projections[0].connection
    assert connection.groups == 2 and connection.weight.shape == (2, 1, 2, 2)


def test_graded_input(net):
    network = load_netx(net(dense(3, 5)), 4, input_payload_bound=200)
    assert network.populations[0].neuron.sends_graded


# --- refusals -----------------------------------------------------------------------------------


def nan(layer):
    weight = layer["weight"].copy()
    weight[1, 2] = np.nan
    return {**layer, "weight": weight}


REFUSED = [
    (nan(dense(3, 5)),
     "layer 0 (dense) field 'weight': 1 of 15 values are not finite, the first is nan at (1, 2)"),
    (dense(3, 5, weight=np.full((3, 5), 0.5)),
     "layer 0 (dense) field 'weight': 15 of 15 values are not whole numbers, the first is 0.5 at "
     "(0, 0)"),
    (dense(3, 5, weight=np.full((3, 5), 300)),
     "layer 0 (dense) field 'weight': 15 of 15 values are outside -256..255, the first is 300 at "
     "(0, 0)"),
    (dense(1, 2, weight=np.float32([[-200, 3]])),
     "layer 0 (dense) field 'weight': 1 of 2 values are odd, beside values beyond 127, the first "
     "is 3 at (0, 1)"),
    (dense(3, 5, weight=np.zeros((5, 3))),
     "layer 0 (dense) field 'weight' has shape (5, 3); expected (3, 5)"),
    (without(dense(3, 5), "shape"), "layer 0 (dense) has no field 'shape'"),
    (dense(3, 5, shape=[3, 1, 1, 1]),
     "layer 0 (dense) field 'shape' has shape (4,); expected 1 to 3 numbers"),
    (dense(3, 5, shape=[1 << 20, 1 << 20, 1]),
     "layer 0 (dense) has 1099511627776 neurons; the reader stops at 16777216"),
    (dense(3, 5, bias=np.zeros(2) + 1),
     "layer 0 (dense) field 'bias' holds 2 values; expected 3 (channels) or 3 (neurons)"),
    (dense(3, 5, bias=np.float32([0, 40000, 0])),
     "layer 0 (dense) field 'bias': 1 of 3 values are outside -32768..32767, the first is 40000 at "
     "(1,)"),
    (dense(3, 5, delay=np.float32([1, 2])),
     "layer 0 (dense) field 'delay' has shape (2,) for 3 channels, 3 neurons"),
    (dense(3, 5, delay=np.arange(15).reshape(3, 5)),
     "layer 0 (dense) field 'delay' of shape (3, 5) holds a delay for every synapse; only delays "
     "of neurons are supported"),
    (dense(3, 5, neuron={**LIF, "vDecay": 5000}),
     "layer 0 (dense) field 'neuron/vDecay': 1 of 1 values are outside 0..4096, the first is 5000"),
    (dense(3, 5, neuron={**LIF, "vDecay": [1, 2, 3]}),
     "layer 0 (dense) field 'neuron/vDecay' holds 3 different values (1 to 3); a population has "
     "one"),
    (dense(3, 5, neuron=without(LIF, "iDecay")), "layer 0 (dense) has no field 'neuron/iDecay'"),
    (dense(3, 5, neuron={**LIF, "type": "ALIF"}),
     "layer 0 (dense) has neurons of unknown type 'ALIF'; known: LOIHI, CUBA"),
    (dense(3, 5, weigth=1),
     "layer 0 (dense) has an unknown field 'weigth', did you mean 'weight'"),
    (dense(3, 5, neuron={**LIF, "vThMan": 1}),
     "layer 0 (dense) neuron has an unknown field 'vThMan', did you mean 'vThMant'"),
    ({"type": "lstm", "shape": [3]},
     "layer 0 (lstm) comes first, so the input is of unknown shape; give input_shape"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "message"), REFUSED)
def test_refused_layers(net, layer, message):
    assert refusal(net(layer)) == f"a.net: {message}"


BEHIND_AN_INPUT = [
    ([{"type": "lstm", "shape": [3]}],
     "layer 1 (lstm) is of an unknown type; known: input, flatten, conv, pool, average, dense, "
     "dense_rec"),
    ([dense(3, 40)], "layer 1 (dense) follows a plane of shape (2, 4, 5) without a flatten layer"),
    ([{**FLATTEN, "shape": [41]}], "layer 1 (flatten) declares 41 neurons behind 40"),
    ([FLATTEN, conv((3, 2, 3), (3, 2, 3, 3))],
     "layer 2 (conv) needs a plane, but a flatten layer comes before it"),
    ([conv((3, 9, 3), (3, 2, 3, 3))],
     "layer 1 (conv) declares shape (3, 9, 3); its kernel gives (3, 2, 3)"),
    ([conv((3, 2, 3), (3, 1, 3, 3))],
     "layer 1 (conv) field 'weight' has shape (3, 1, 3, 3); expected (3, 2, height, width)"),
    ([conv((3, 2, 3), (3, 2, 3, 3), groups=2)], "layer 1 (conv) has 2 groups for 2 -> 3 channels"),
    ([conv((3, 2, 3), (3, 2, 3, 3), stride=[1, 1, 1])],
     "layer 1 (conv) field 'stride' holds 3 numbers; expected 1 or 2"),
    ([conv((3, 2, 3), (3, 2, 3, 3), stride=[0, 1])],
     "layer 1 (conv) field 'stride': 1 of 2 values are outside 1..32768, the first is 0 at (0,)"),
    ([without(conv((3, 2, 3), (3, 2, 3, 3)), "padding")],
     "layer 1 (conv) has no field 'padding'"),
    ([without(conv((3, 2, 3), (3, 2, 3, 3)), "neuron")], "layer 1 (conv) has no 'neuron' group"),
    ([conv((3, 2, 3), (3, 2, 3, 3)), INPUT],
     "layer 2 (input) is an input layer, but layers come before it"),
    ([FLATTEN, {"type": "average", "shape": [3]}],
     "layer 2 (average) averages 2 channels in 3 groups of unequal size"),
    ([{"type": "average", "shape": [2]}, dense(3, 2)],
     "layer 2 (dense) comes after average1, which sends no spikes"),
    ([FLATTEN, without(dense(3, 40), "neuron"), dense(2, 3)],
     "layer 2 (dense) has no 'neuron' group"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "message"), BEHIND_AN_INPUT)
def test_refused_chains(net, layers, message):
    assert refusal(net(INPUT, *layers)) == f"a.net: {message}"


def test_sigma_delta_is_refused_by_name(net):
    with pytest.raises(UnsupportedError) as caught:
        load_netx(net(dense(3, 5, neuron={"type": "SDNN", "vThMant": 3})))
    assert str(caught.value) == (
        "a.net: layer 0 (dense): SDNN: a sigma-delta neuron sends graded differences of an "
        "activation, and a Network has only spiking and integrating populations; train the "
        "network with LOIHI or CUBA neurons"
    )
    assert caught.value.node == "dense0"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (dense(3, 5, neuron={"type": "RF_PHASE"}),
         "layer 0 (dense): RF_PHASE: a resonate-and-fire neuron has a complex state; a Network has "
         "none"),
        (dense(3, 5, weight={"real": 1, "imag": 1}),
         "layer 0 (dense): complex weights need resonate-and-fire neurons; a Network has none"),
        (dense(3, 5, neuron={**LIF, "gradedSpike": True}),
         "layer 0 (dense): 'neuron/gradedSpike' is set, but NetX sends binary spikes"),
        (dense(3, 5, neuron={**LIF, "wgtExp": 2}),
         "layer 0 (dense): 'neuron/wgtExp' is set, but NetX does not read it"),
    ],
)  # fmt: skip
def test_unsupported_layers(net, layer, message):
    assert refusal(net(layer), UnsupportedError) == f"a.net: {message}"


def test_unsupported_layer_types(net):
    assert refusal(net(INPUT, {"type": "convT", "shape": [3]}), UnsupportedError) == (
        "a.net: layer 1 (convT): a transposed convolution is not supported; lava-dl's own loader "
        "refuses it too"
    )


def test_timesteps_must_come_from_somewhere(net):
    assert refusal(net(dense(3, 5)), timesteps=None) == (
        "a.net: does not say how many time steps a sample has; give timesteps"
    )
    assert refusal(net(dense(3, 5)), timesteps=0) == "a.net: 0 time steps; expected 1 to 1048576"


def test_options_that_do_not_fit(net):
    path = net(SPIKING_INPUT, conv((3, 2, 3), (3, 2, 3, 3)))
    assert refusal(path, input_neuron=InputNeuron(1)) == (
        "a.net: layer 0 (input) has neurons already; leave out input_neuron"
    )
    path = net(conv((3, 2, 3), (3, 2, 3, 3)))
    assert load_netx(path, 4, input_shape=(2, 4, 5)).populations[0].shape == (2, 4, 5)
    assert refusal(path, input_shape=(2, 4)) == (
        "a.net: layer 0 (conv) got input_shape=(2, 4); expected (channels, height, width)"
    )
    assert refusal(net(INPUT)) == "a.net: the network has no layer behind its input"


# --- hostile files ------------------------------------------------------------------------------


def test_missing_and_foreign_files(tmp_path):
    assert refusal(tmp_path / "b.net") == f"{tmp_path / 'b.net'}: no such file"
    (tmp_path / "b.net").write_bytes(b"not HDF5")
    message = refusal(tmp_path / "b.net")
    assert message.startswith("b.net: not a readable HDF5 network file (OSError: ")


def test_groups_that_are_not_layers(net):
    def rename(file):
        file.move("layer/0", "layer/first")

    assert refusal(net(dense(3, 5), change=rename)) == (
        "a.net: group 'layer' has 1 entries and one is 'first'; expected 0 to 0"
    )
    assert refusal(net()) == "a.net: has 0 layers; expected 1 to 1024"
    assert refusal(net(change=lambda file: file.pop("layer"))) == "a.net: the file has no 'layer'"


def replace_weight(make):
    def change(file):
        del file["layer/0/weight"]
        make(file)

    return change


def external_storage(file):
    file["layer/0"].create_dataset(
        "weight", (3, 5), "f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file):
    layout = h5py.VirtualLayout((3, 5), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 5))
    file["layer/0"].create_virtual_dataset("weight", layout)


def never_written(file):
    file["layer/0"].create_dataset("weight", (3, 1 << 20), "f4", chunks=(1, 1024))


def enormous(file):
    file["layer/0"].create_dataset("weight", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: file["layer/0"].__setitem__("weight", h5py.SoftLink("/layer/0/shape")),
         "layer 0 (dense) 'weight' is a link out of its place; refused"),
        (lambda file: file["layer/0"].__setitem__("weight", h5py.ExternalLink("b.h5", "/x")),
         "layer 0 (dense) 'weight' is a link out of its place; refused"),
        (external_storage, "layer 0 (dense) field 'weight' is stored outside this file; refused"),
        (virtual, "layer 0 (dense) field 'weight' is stored outside this file; refused"),
        (never_written,
         "layer 0 (dense) field 'weight' declares 12582912 bytes, but the file stores 0"),
        (enormous, "layer 0 (dense) field 'weight' holds 8,796,093,022,208 bytes; 1,073,741,780 "
         "of 1,073,741,824 are left for this file: raise that with --memory 8193"),
        (lambda file: file["layer/0"].create_dataset("weight", data="text"),
         "layer 0 (dense) field 'weight' holds object, not numbers"),
    ],
)  # fmt: skip
def test_refused_storage(net, make, message):
    assert refusal(net(dense(3, 5), change=replace_weight(make))) == f"a.net: {message}"


def test_damaged_files_are_refused_in_one_line(net, tmp_path):
    """Truncated anywhere or with bytes changed: loads, or one DeployError."""
    whole = net(INPUT, conv((3, 2, 3), (3, 2, 3, 3)), {**FLATTEN, "shape": [18]}, dense(4, 18))
    whole = whole.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(300):
        data = bytearray(whole)
        if trial % 4 == 0:
            data = data[: rng.integers(len(data))]
        else:
            for _ in range(rng.integers(1, 6)):
                data[rng.integers(len(data))] = rng.integers(256)
        path = tmp_path / "damaged.net"
        path.write_bytes(bytes(data))
        try:
            load_netx(path, 4)
        except DeployError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 100
    assert isinstance(load_netx(net(dense(3, 5)), 4).projections[0].connection, Dense)
