import dataclasses
import pickle
import re

import pytest

from snndeploy import shelf
from snndeploy.errors import TargetError, UnsupportedError
from snndeploy.target import MARKS, Target
from snndeploy.target.events import require_times
from snndeploy.target.file import SCHEMA, Quantity

TEXT = shelf.target_path("loihi1").read_text()


def refused(text):
    with pytest.raises(TargetError) as caught:
        Target.from_text(text, origin="mine.toml")
    return str(caught.value)


def edited(entry, *, name="neurons_per_core"):
    """loihi1 with one line replaced."""
    return re.sub(rf"(?m)^{name} = .*$", entry, TEXT)


def neurons(value, *, unit="neurons", mark="assumed", source="me"):
    entry = f'value = {value}, unit = "{unit}", mark = "{mark}", source = "{source}"'
    return f"neurons_per_core = {{ {entry} }}"


@pytest.mark.parametrize("name", shelf.target_names())
def test_every_shipped_target_loads(name):
    target = Target.load(name)
    assert target.name == name
    assert Target.from_text(target.text) == target
    assert hash(Target.from_text(target.text)) == hash(target)
    assert pickle.loads(pickle.dumps(target)).quantities == target.quantities


def test_loihi1_as_published():
    chip = Target.load("loihi1")
    assert (chip.cores_per_chip, chip.cores_per_tile) == (128, 4)
    assert (chip.mesh_width, chip.mesh_height) == (8, 4)
    assert (chip.neurons_per_core, chip.input_axons_per_core) == (1024, 4096)
    assert chip.number("energy.hop_north_south_pj") == 4.2
    assert chip.energy["synaptic_operation_pj"].mark == "fitted"
    assert (chip.payload_bits, chip.graded_spikes, chip.soft_reset) == (0, False, False)


def test_loihi2_as_intels_compiler_uses_it():
    """What it prints: a share of a limit in percent, and the number that it is a share of."""
    chip = Target.load("loihi2")
    assert (chip.cores_per_chip, chip.payload_bits, chip.graded_spikes) == (120, 32, True)
    printed = [
        (3584, chip.neurons_per_core, 87.52), (2688, chip.neurons_per_core, 65.64),
        (64, chip.neurons_per_core, 1.56), (1, chip.neuron_groups_per_core, 12.5),
        (784, chip.input_axons_per_core, 4.90), (64, chip.input_axons_per_core, 0.40),
        (2688, chip.output_axons_per_core, 16.80),
        (784 * 16, chip.synapse_memory_bytes / 8, 78.4),
    ]  # fmt: skip
    for value, limit, percent in printed:
        assert round(100 * value / limit, 2) == percent
    assert chip.core_memory_bytes == 20_000 * 8
    assert (chip.neuron_entry_bytes, chip.axon_entry_bytes) == (8, 8)


def test_loihi2_brief_keeps_the_sizes_of_intels_brief():
    chip, brief = Target.load("loihi2"), Target.load("loihi2-brief")
    assert (brief.neurons_per_core, brief.core_memory_bytes) == (8192, 192 * 1024)
    assert (brief.encoding, brief.synapses_per_block) == ("blocks", 64)
    assert brief.input_axons_per_core is None and brief.neuron_groups_per_core is None
    for section in ("board", "formats", "energy", "timing", "host"):
        assert brief.section(section) == chip.section(section)


def test_loihi2_inherits_energy_and_divides_latency():
    old, new = Target.load("loihi1"), Target.load("loihi2")
    events = {key: item for key, item in new.energy.items() if not key.startswith("static")}
    assert {item.mark for item in events.values()} == {"inherited", "assumed"}
    assert {key: item.value for key, item in events.items()} == {
        key: old.energy[key].value for key in events
    }
    speedup = {"neuron_access_ns": 2, "neuron_update_ns": 2, "spike_generation_ns": 10}
    for key, factor in speedup.items():
        expected = old.number(f"timing.{key}") / factor
        assert new.number(f"timing.{key}") == pytest.approx(expected, rel=1e-12)


def test_sana_fe_worked_check():
    """Ten firing neurons with ten targets each, one core to the next, in one tile of loihi1."""
    number = Target.load("loihi1").number
    generation = sum(
        number(f"timing.{event}_ns")
        for event in ("neuron_access", "neuron_update", "spike_generation", "message_out")
    )
    service = number("timing.message_in_ns") + 10 * number("timing.synaptic_operation_ns")
    step = generation + 10 * service + Target.load("loihi1").barrier_ns(1)
    assert step == pytest.approx(1184.8)
    spike = sum(
        number(f"energy.{event}_pj")
        for event in ("neuron_access", "neuron_update", "spike_generation")
    )
    assert spike == pytest.approx(142.1)


def test_every_attribute_has_one_key_in_the_schema():
    keys = [key for section in ("board", "cores", "formats", "synapses") for key in SCHEMA[section]]
    plain = ["name", "description", "not_compiled", "text", "origin", "quantities", "board_name"]
    attributes = [field.name for field in dataclasses.fields(Target)]
    assert sorted(attributes) == sorted(keys + plain)


def test_costs_are_looked_up_by_key():
    chip = Target.load("loihi2")
    assert chip.number("host.mac_pj") == 4.6
    assert chip.quantity("host.ac_pj") == Quantity(
        value=0.9,
        unit="pJ",
        mark="published",
        source="Horowitz 2014, Fig. 1.1.9: fp32 add, 45 nm",
    )
    assert chip.has("energy.inter_chip_hop_pj") and not chip.has("energy.tile_local_hop_pj")


def test_a_cost_the_file_does_not_state_is_refused_not_zero():
    chip = Target.from_text(TEXT, origin="mine.toml")
    with pytest.raises(TargetError) as caught:
        chip.number("energy.tile_local_hop_pj")
    assert str(caught.value) == (
        "target loihi1 does not state energy.tile_local_hop_pj; add it to mine.toml"
    )


def test_a_cost_nobody_states():
    with pytest.raises(TargetError) as caught:
        Target.load("loihi1").number("energy.hop_east_pj")
    assert str(caught.value) == (
        "no target states 'energy.hop_east_pj', did you mean 'energy.hop_east_west_pj'?"
    )


def test_a_table_is_not_a_number():
    with pytest.raises(TargetError) as caught:
        Target.load("loihi2").number("timing.barrier_ns")
    assert str(caught.value) == "target loihi2: timing.barrier_ns is not a number but (200.0,)"


def test_provenance_covers_every_number_once():
    chip = Target.load("loihi1")
    provenance = chip.provenance()
    assert sorted(key for keys in provenance.values() for key in keys) == sorted(chip.quantities)
    assert list(provenance) == [mark for mark in MARKS if mark in provenance]
    assert "energy.message_out_pj" in provenance["fitted"]


def test_weakest_mark():
    chip = Target.load("loihi1")
    assert chip.weakest_mark(["energy.hop_east_west_pj"]) == "published"
    assert chip.weakest_mark(["energy.hop_east_west_pj", "energy.message_out_pj"]) == "fitted"
    assert chip.weakest_mark(["energy.inter_chip_hop_pj", "energy.message_out_pj"]) == "assumed"


@pytest.mark.parametrize(
    ("tiles", "nanoseconds"), [(0, 600), (1, 600), (3, 1000), (4, 1400), (28, 1400), (32, 1800)]
)
def test_barrier_on_one_chip(tiles, nanoseconds):
    assert Target.load("loihi1").barrier_ns(tiles) == nanoseconds


def test_barrier_over_several_chips():
    chip = Target.load("loihi1")
    assert chip.barrier_ns(32, chips=256) == 14300
    assert chip.barrier_ns(32, chips=768) == 16200
    assert chip.barrier_ns(32, chips=16) == (1800 + 14300) / 2  # halfway in log2
    waits = [chip.barrier_ns(32, chips=count) for count in range(1, 1000)]
    assert waits == sorted(waits)


def test_barrier_without_a_board_table():
    text = re.sub(r"(?m)^board_barrier.*\n", "", TEXT)
    assert Target.from_text(text).barrier_ns(32, chips=256) == 1800


def test_derived_limits():
    chip = Target.load("loihi1")
    assert (chip.threshold_max, chip.accumulator_max) == (131071, 32767)
    assert (chip.membrane_max, chip.decay_one, chip.tiles_per_chip) == (2**23 - 1, 4096, 32)


BROKEN = {
    "unknown section": (TEXT + "[enegry]\n", "unknown section [enegry], did you mean 'energy'?"),
    "missing section": (
        TEXT.replace("[host]", "[host_]").replace("[host_]", "[timing.host]"),
        "section [host] is missing",
    ),
    "unknown key": (
        edited(neurons(8).replace("neurons_per", "neurones_per")),
        "unknown key cores.neurones_per_core, did you mean 'neurons_per_core'?",
    ),
    "unknown key of the chip": (
        TEXT.replace("[chip]", '[chip]\nvendor = "x"'),
        "unknown key chip.vendor",
    ),
    "missing key": (edited(""), "cores.neurons_per_core is missing"),
    "missing name": (TEXT.replace('name = "loihi1"', "", 1), "chip.name is missing"),
    "empty name": (
        TEXT.replace('name = "loihi1"', 'name = ""', 1),
        "chip.name is ''; it must be a text",
    ),
    "bare number": (
        edited("neurons_per_core = 8"),
        "cores.neurons_per_core is 8; write it as "
        '{ value = ..., unit = "...", mark = "...", source = "..." }',
    ),
    "unknown scope": (
        TEXT.replace('scope = { value = "incremental"', 'scope = { value = "all"'),
        "energy.synaptic_operation_scope is 'all'; it must be one of: incremental, all-in",
    ),
    "empty reason": (
        TEXT.replace("[chip]", '[chip]\nnot_compiled = ""', 1),
        "chip.not_compiled is ''; it must be a text",
    ),
    "misspelt base": (
        TEXT.replace("[chip]", "[base_on]\n[chip]", 1),
        "unknown section [base_on], did you mean 'based_on'?",
    ),
    "without and no base": (
        TEXT.replace("schema = 1", 'schema = 1\nwithout = ["energy.message_in_pj"]', 1),
        "'without' needs a line 'based_on = ...'",
    ),
    "unknown field": (
        edited(neurons(8).replace("source", "sorce")),
        "cores.neurons_per_core has an unknown field 'sorce', did you mean 'source'?",
    ),
    "no value": (
        edited('neurons_per_core = { unit = "neurons" }'),
        "cores.neurons_per_core has no value",
    ),
    "wrong unit": (
        edited(neurons(8, unit="cores")),
        "cores.neurons_per_core is in unit 'cores'; it must be 'neurons'",
    ),
    "no unit": (
        edited('neurons_per_core = { value = 8, mark = "assumed", source = "me" }'),
        "cores.neurons_per_core is in unit ''; it must be 'neurons'",
    ),
    "unknown mark": (
        edited(neurons(8, mark="heard")),
        "cores.neurons_per_core has mark 'heard'; "
        "use one of: published, from code, measured, fitted, inherited, assumed",
    ),
    "measured on what": (
        edited(neurons(8, mark="measured", source="our bench")),
        "cores.neurons_per_core is measured, and its source 'our bench' does not say on what; "
        'write "NETWORK: where it is printed"',
    ),
    "no mark": (
        edited('neurons_per_core = { value = 8, unit = "neurons", source = "me" }'),
        "cores.neurons_per_core has no mark; every number says where it comes from",
    ),
    "no source": (
        edited('neurons_per_core = { value = 8, unit = "neurons", mark = "assumed" }'),
        "cores.neurons_per_core has no source; every number says where it comes from",
    ),
    "blank source": (
        edited(neurons(8, source=" ")),
        "cores.neurons_per_core has no source; every number says where it comes from",
    ),
    "note that is not text": (
        edited(neurons(8).replace(" }", ", note = 3 }")),
        "cores.neurons_per_core has a note that is not text: 3",
    ),
    "text for a number": (
        edited(neurons('"8"')),
        "cores.neurons_per_core is '8'; it must be a whole number",
    ),
    "fraction of a neuron": (
        edited(neurons(8.5)),
        "cores.neurons_per_core is 8.5; it must be a whole number",
    ),
    "true is not one": (
        edited(neurons("true")),
        "cores.neurons_per_core is True; it must be a whole number",
    ),
    "negative": (edited(neurons(-1)), "cores.neurons_per_core is -1; it must be at least 1"),
    "absurd": (
        edited(neurons(10**12)),
        "cores.neurons_per_core is 1000000000000; it must be at most 1e+09",
    ),
    "not a number": (
        TEXT.replace("value = 111.0", "value = nan"),
        "energy.message_out_pj is nan; it must be a finite number",
    ),
    "negative energy": (
        TEXT.replace("value = 111.0", "value = -111.0"),
        "energy.message_out_pj is -111.0; it must be at least 0",
    ),
    "number for a flag": (
        edited('soft_reset = { value = 0, mark = "assumed", source = "me" }', name="soft_reset"),
        "formats.soft_reset is 0; it must be true or false",
    ),
    "unknown choice": (
        TEXT.replace('decay_per = { value = "population"', 'decay_per = { value = "core"'),
        "formats.decay_per is 'core'; it must be one of: population, neuron",
    ),
    "number for a list": (
        TEXT.replace("value = [1, 2, 4, 29]", "value = 1"),
        "timing.barrier_tiles is 1; it must be a list of numbers",
    ),
    "text in a list": (
        TEXT.replace("value = [1, 2, 4, 29]", 'value = [1, "2", 4, 29]'),
        "timing.barrier_tiles is '2'; it must be a number",
    ),
}

BROKEN_TOGETHER = {
    "table of unequal columns": (
        TEXT.replace("value = [1, 2, 4, 29]", "value = [1, 2]"),
        "timing.barrier_tiles has 2 entries and timing.barrier_ns has 4; "
        "they must be of one length",
    ),
    "table out of order": (
        TEXT.replace("value = [1, 2, 4, 29]", "value = [1, 4, 2, 29]"),
        "timing.barrier_tiles must ascend",
    ),
    "half a table": (
        edited("", name="board_barrier_ns"),
        "timing.board_barrier_chips and timing.board_barrier_ns go together",
    ),
    "more cores than the mesh holds": (
        TEXT.replace("cores_per_chip = { value = 128", "cores_per_chip = { value = 129"),
        "cores.cores_per_chip is 129, more than the 128 cores in the mesh",
    ),
    "more chips than the grid holds": (
        TEXT.replace("max_chips = { value = 768", "max_chips = { value = 769"),
        "board.max_chips is 769, more than the 768 places in the chip grid",
    ),
    "graded spikes without a payload": (
        TEXT.replace("graded_spikes = { value = false", "graded_spikes = { value = true"),
        "graded_spikes is true but payload_bits is 0",
    ),
    "another neuron": (
        TEXT.replace("membrane_bits = { value = 24", "membrane_bits = { value = 32"),
        "formats.membrane_bits is 32, but snndeploy's neuron has 24; "
        "say why no program is compiled for this chip under chip.not_compiled",
    ),
    "an accumulator that the current cannot hold": (
        TEXT.replace("accumulator_bits = { value = 16", "accumulator_bits = { value = 20"),
        "formats.accumulator_bits is 20, but snndeploy's neuron has at most 18; "
        "say why no program is compiled for this chip under chip.not_compiled",
    ),
    "no time steps": (
        TEXT.replace(
            "[formats]",
            '[formats]\ntime_stepped = { value = false, mark = "assumed", source = "me" }',
        ),
        "time_stepped is false, but snndeploy computes in time steps; "
        "say why no program is compiled for this chip under chip.not_compiled",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_refused_in_one_line(case):
    text, message = BROKEN[case]
    assert text != TEXT
    assert refused(text) == f"mine.toml: {message}"


@pytest.mark.parametrize("case", BROKEN_TOGETHER)
def test_lines_that_contradict_each_other(case):
    text, message = BROKEN_TOGETHER[case]
    assert text != TEXT
    assert refused(text) == f"mine.toml: {message}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "has no line 'schema = 1'"),
        ("schema = 2", "has schema 2"),
        ("schema = true", "has schema True"),
    ],
)
def test_other_schemas_are_refused(line, said):
    text = TEXT.replace("schema = 1", line, 1)
    assert refused(text) == f"mine.toml {said}; this release reads schema 1"


def test_text_that_is_not_toml():
    assert refused("neurons: 8") == (
        "mine.toml is not valid TOML: Expected '=' after a key in a key/value pair "
        "(at line 1, column 8)"
    )


def test_a_users_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace('name = "loihi1"', 'name = "mine"', 1))
    chip = Target.load(path)
    assert (chip.name, chip.origin) == ("mine", str(path))


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TargetError) as caught:
        Target.load(path)
    assert str(caught.value) == (
        f"cannot read target file {path}: UnicodeDecodeError: 'utf-8' codec can't decode "
        "byte 0xff in position 0: invalid start byte"
    )


def test_a_huge_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("#" * (2 << 20))
    with pytest.raises(TargetError) as caught:
        Target.load(path)
    assert str(caught.value) == (
        f"target file {path} has 2,097,152 bytes; at most 1,048,576 are read: such files take a few"
        " kilobytes"
    )


# --- chips based on another ---------------------------------------------------------------------

OWN = '[chip]\nname = "mine"\ndescription = "my own"\n'
MINE = 'schema = 1\nbased_on = "loihi2"\n' + OWN


def test_a_chip_based_on_another_says_only_what_differs():
    text = f"{MINE}[cores]\n{neurons(64, source='me, May')}\n"
    chip, base = Target.from_text(text), Target.load("loihi2")
    assert (chip.name, chip.neurons_per_core, chip.cores_per_chip) == ("mine", 64, 120)
    changed = {key for key in base.quantities if chip.quantities[key] != base.quantities[key]}
    assert changed == {"cores.neurons_per_core"}
    assert chip.quantity("cores.neurons_per_core").source == "me, May"
    assert chip.quantities.keys() == base.quantities.keys()


def test_a_resolved_chip_needs_its_base_no_more():
    chip = Target.from_text(MINE)
    assert "based_on" not in chip.text and chip.text.startswith('# Based on "loihi2"')
    again = Target.from_text(chip.text)
    assert again == chip and again.text == chip.text
    assert again.quantities == chip.quantities


def test_without_takes_keys_out():
    text = MINE.replace("\n[chip]", '\nwithout = ["energy.inter_chip_hop_pj"]\n[chip]')
    assert not Target.from_text(text).has("energy.inter_chip_hop_pj")


def test_odd_texts_survive_resolving():
    odd = 'a "quoted" back\\slash, a tab\t, \x7f, é and 😀'
    escaped = odd.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    entry = neurons(64, source=escaped.replace("\x7f", "\\u007F"))
    chip = Target.from_text(f"{MINE}[cores]\n{entry}\n")
    assert chip.quantity("cores.neurons_per_core").source == odd
    assert Target.from_text(chip.text).quantities == chip.quantities


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "base.toml").write_text(MINE.replace("loihi2", "../root.toml"))
    (tmp_path / "root.toml").write_text(TEXT)
    return tmp_path


def test_a_base_is_looked_for_beside_the_file_that_names_it(folder):
    path = folder / "mine.toml"
    path.write_text(MINE.replace("loihi2", "inner/base.toml").replace("mine", "top"))
    chip = Target.load(path)
    assert (chip.name, chip.cores_per_chip) == ("top", 128)


def test_chips_based_on_one_another(folder):
    (folder / "inner" / "base.toml").write_text(MINE.replace("loihi2", "base.toml"))
    with pytest.raises(TargetError, match=r"based on one another without end: .*base\.toml, "):
        Target.load(folder / "inner" / "base.toml")


def test_an_endless_chain_of_bases(folder):
    """Each round through the two folders makes another path to the same files."""
    (folder / "root.toml").write_text(MINE.replace("loihi2", "inner/base.toml"))
    with pytest.raises(TargetError, match="based on one another without end"):
        Target.load(folder / "root.toml")


def test_a_broken_base_is_named(folder):
    (folder / "root.toml").write_text(edited(neurons(-1)))
    with pytest.raises(TargetError) as caught:
        Target.load(folder / "inner" / "base.toml")
    assert str(caught.value).endswith(
        "root.toml: cores.neurons_per_core is -1; it must be at least 1"
    )


BROKEN_INHERITANCE = {
    "unknown base": (
        MINE.replace("loihi2", "lohi2"),
        r"based_on: unknown target 'lohi2' \(shipped: .*\), did you mean 'loihi2'\?",
    ),
    "a base that is a file": (
        MINE.replace("loihi2", "other.toml"),
        r"based_on: other\.toml is a file, which a text cannot name; name a shipped chip",
    ),
    "base that is no text": (
        MINE.replace('"loihi2"', "2"),
        r"based_on is 2; name a chip or a TOML file",
    ),
    "no name of its own": (
        MINE.replace('name = "mine"', ""),
        r"chip\.name is missing; a chip has a name of its own",
    ),
    "no schema": (MINE.replace("schema = 1", ""), r"has no line 'schema = 1'.*"),
    "misspelt key": (
        MINE + "[cores]\nneurons_per_cores = 8\n",
        r"unknown key cores\.neurons_per_cores, did you mean 'neurons_per_core'\?",
    ),
    "misspelt section": (
        MINE + "[core]\nneurons_per_core = 8\n",
        r"unknown section \[core\], did you mean 'cores'\?",
    ),
    "section that is a number": (
        MINE.replace("[chip]", "cores = 3\n[chip]"),
        r"section \[cores\] is missing",
    ),
    "without what is not there": (
        MINE.replace("[chip]", 'without = ["energy.message_in"]\n[chip]'),
        r"without: loihi2 does not state 'energy\.message_in', "
        r"did you mean 'energy\.message_in_pj'\?",
    ),
    "without a list": (
        MINE.replace("[chip]", 'without = "energy.message_in_pj"\n[chip]'),
        r"without is 'energy\.message_in_pj'; write a list of \"section\.key\"",
    ),
    "without a required key": (
        MINE.replace("[chip]", 'without = ["cores.cores_per_chip"]\n[chip]'),
        r"cores\.cores_per_chip is missing",
    ),
    "stated and left out": (
        MINE.replace("[chip]", 'without = ["cores.neurons_per_core"]\n[chip]')
        + f"[cores]\n{neurons(8)}\n",
        r"cores\.neurons_per_core is stated, and left out by 'without'",
    ),
}


@pytest.mark.parametrize("case", BROKEN_INHERITANCE)
def test_a_broken_inheritance_is_refused_in_one_line(case):
    text, message = BROKEN_INHERITANCE[case]
    assert re.fullmatch(rf"mine\.toml:? {message}", refused(text))


# --- the shipped chips --------------------------------------------------------------------------

BOARDS = {  # name: (base, chips, cores a chip)
    "kapoho_bay": ("loihi1", 2, 128),
    "nahuku32": ("loihi1", 32, 128),
    "oheo_gulch": ("loihi2", 1, 120),
    "kapoho_point": ("loihi2", 8, 120),
    "hala_point": ("loihi2", 1152, 122),
}
NOT_COMPILED = ("darwin3", "paicore", "speck", "tianjic", "truenorth")


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_its_chip_in_another_number(name):
    base, chips, cores = BOARDS[name]
    board, chip = Target.load(name), Target.load(base)
    assert (board.max_chips, board.cores_per_chip) == (chips, cores)
    apart = ("board.", "cores.cores_per_chip")
    same = [key for key in chip.quantities if not key.startswith(apart)]
    assert all(board.quantities[key] == chip.quantities[key] for key in same)


def test_every_shipped_operation_says_its_scope():
    chips = [Target.load(name) for name in shelf.target_names()]
    stating = [chip for chip in chips if chip.has("energy.synaptic_operation_pj")]
    assert all(chip.has("energy.synaptic_operation_scope") for chip in stating)
    all_in = [chip.name for chip in stating if chip.synaptic_operation_scope == "all-in"]
    assert all_in == ["paicore", "tianjic", "truenorth"]


def test_an_all_in_operation_includes_the_other_events():
    north, loihi, tianjic = map(Target.load, ("truenorth", "loihi1", "tianjic"))
    for key in ("energy.hop_east_west_pj", "energy.static_power_per_chip_w"):
        assert north.includes(key) and not loihi.includes(key)
    assert not north.includes("energy.synaptic_operation_pj")
    assert not north.includes("host.io_pj_per_byte")
    assert not tianjic.includes("energy.mac_pj")


def test_a_scope_that_is_not_stated_is_incremental():
    text = re.sub(r"(?m)^synaptic_operation_scope.*\n", "", TEXT)
    assert Target.from_text(text).synaptic_operation_scope == "incremental"


def test_capabilities_that_are_not_stated():
    chip = Target.load("loihi1")
    assert (chip.mac_unit, chip.full_window, chip.time_stepped) == (False, False, True)
    assert chip.topology == "mesh"


def test_hybrid45nm_runs_everything_and_charges_operations_only():
    chip = Target.load("hybrid45nm")
    able = (chip.mac_unit, chip.full_window, chip.dynamic_multiply, chip.soft_reset)
    assert able == (True, True, True, True) and chip.graded_spikes
    assert chip.accumulator_max == 2**17 - 1
    charged = {key: item.value for key, item in chip.energy.items() if item.unit and item.value}
    assert charged == {"synaptic_operation_pj": 0.9, "mac_pj": 4.6}
    zeros = [item for item in chip.energy.values() if item.unit and not item.value]
    assert {item.mark for item in zeros} == {"assumed"}


def test_davies2018_is_the_table():
    chip = Target.load("loihi1-davies2018")
    number = chip.number
    assert number("energy.synaptic_operation_pj") == 23.6
    assert number("energy.neuron_access_pj") + number("energy.neuron_update_pj") == 81
    update = number("timing.neuron_access_ns") + number("timing.neuron_update_ns")
    assert update == pytest.approx(8.4)
    assert not chip.has("energy.synaptic_operation_conv_pj")
    assert [chip.barrier_ns(tiles) for tiles in (1, 2, 32)] == [113, 465, 465]


@pytest.mark.parametrize("name", shelf.target_names())
def test_a_chip_that_no_program_is_compiled_for_says_why(name):
    chip = Target.load(name)
    assert bool(chip.not_compiled) == (name in NOT_COMPILED)
    if not chip.not_compiled:
        chip.require_compiled()
        return
    with pytest.raises(UnsupportedError) as caught:
        chip.require_compiled()
    assert str(caught.value) == f"no program is compiled for {name}: {chip.not_compiled}"


def test_an_attribute_that_is_not_stated_is_refused_by_name():
    chip = Target.load("speck")
    with pytest.raises(TargetError) as caught:
        print(chip.neurons_per_core)
    assert str(caught.value) == (
        "target speck does not state cores.neurons_per_core; "
        f"no program is compiled for it: {chip.not_compiled}"
    )
    assert not hasattr(chip, "neurons_per_tile")
    assert repr(chip) == "Target('speck')"


def test_a_changed_attribute_makes_another_chip():
    chip = Target.load("loihi1")
    assert dataclasses.replace(chip, neurons_per_core=50) != chip
    assert dataclasses.replace(chip, origin="elsewhere") == chip


def test_costs_may_be_left_out():
    text = TEXT[: TEXT.index("[energy]")] + TEXT[TEXT.index("[host]") :]
    chip = Target.from_text(text, origin="mine.toml")
    assert (chip.energy, chip.timing) == ({}, {})
    assert chip.barrier_ns(1) == 0
    with pytest.raises(TargetError, match=r"states no time of any event.* add some of timing\."):
        require_times(chip)


def test_the_readme_explains_every_key_and_chip():
    readme = (shelf.targets_folder() / "README.md").read_text()
    keys = [key for section in SCHEMA.values() for key in section]
    keys += [*(f"{name}.toml" for name in shelf.target_names()), "based_on", "without"]
    assert [key for key in [*keys, "not_compiled"] if f"`{key}`" not in readme] == []
