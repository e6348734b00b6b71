"""What objectives and tasks are built from: the `Learner` face, decoders, projectors."""
