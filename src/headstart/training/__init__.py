"""The engine: one loop that trains any Learner, and what keeps it honest.

config (no torch) → engine: loader position → batch → players' steps → log, validate, checkpoint
optimisers, schedules: by name; checkpoints: two newest, checksummed; health: did it go well?
watching: who may look on; display: what a person sees meanwhile
"""
