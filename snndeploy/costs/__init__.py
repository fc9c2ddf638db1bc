"""The papers' analytic energy: what a network's layers and attention cost at 45 nm.

convention   how the formula is read: every contradiction of the papers is an argument
events       values that a layer receives, and the outputs that each reaches
attention    the papers' formulas for attention; attended: the same, counted on a graph
layers       FL, events and neurons of a network
activity     firing rates: measured on data, or given
energy       the formulas: E_Base, Delta_AC, Delta_E, E_Att, r_EE, r_REC
comparison   one network's figures, and two side by side
"""

from snndeploy.costs.activity import Activity, from_table, measure, uniform
from snndeploy.costs.attended import AttentionCost, attention_of
from snndeploy.costs.convention import (
    AC_PJ,
    CONVENTIONS,
    GAC_EQUATION_11,
    MAC_PJ,
    S1,
    Convention,
    parse_convention,
)
from snndeploy.costs.energy import (
    LayerEnergy,
    PaperEnergy,
    Saving,
    ann_energy_mj,
    ann_operations,
    delta_ac,
    layer_energies,
    nasar,
    paper_energy,
    rate_ratio,
    saving,
)
from snndeploy.costs.layers import LayerCost, NeuronLayer, layer_costs, neuron_layers

__all__ = [
    "AC_PJ", "CONVENTIONS", "GAC_EQUATION_11", "MAC_PJ", "S1", "Activity", "AttentionCost",
    "Convention", "LayerCost", "LayerEnergy", "NeuronLayer", "PaperEnergy", "Saving",
    "ann_energy_mj", "ann_operations", "attention_of", "delta_ac", "from_table", "layer_costs",
    "layer_energies", "measure", "nasar", "neuron_layers", "paper_energy", "parse_convention",
    "rate_ratio", "saving", "uniform",
]  # fmt: skip
