"""Capture: a module with its own loop over time, as one program over the time axis.

The module is exported as it is, with all its T copies of a step.  Then, one file a step:

  record      of many steps, in the place of an export: the calls of one run on tensors without
              values; aliasing: which of them write, and where
  program     the exported calls as values: constants folded, equal expressions one, lists of steps
              that were written in place or grown put together
  roll        one backward walk over tuples of T calls finds what is the same at every step
  first_step  the rules for a first step that differs; alike: what makes steps the same
  numbers_by_step  constants that differ by step: weights over time, or a refusal
  reductions  how a sequence of steps leaves the loop: put together, added up, the last one read
  cycles      what is inside a loop: linear filters, and one cycle a comparator
  probe       the cycle cut at the comparator, asked what each of its states is
  fit         affine maps of its states, read as a neuron's equation; affine: their numbers
  write       the rolled program, in torch's operators on whole sequences
  proof       the rolled graph computes what the module does, at spikes that are forced and real
  double      the module in double precision, where single does not decide
  capture     all of it
"""
