"""Pre-train, fine-tune, evaluate, predict, embed: the only place where everything meets.

config (no torch): what each command can be told; assemble: data → modality → tensors;
pretrain, finetune: make a run, each a recipe; job: what the two share; loaded: a finished run as an
object that answers; origin: where its samples came from, and whether others are the same.
"""
