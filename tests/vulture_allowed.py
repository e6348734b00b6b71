"""Names that only tables, other packages or later issues use; vulture reads this file."""

from headstart import Run, collectives, load
from headstart.backbones.conv import Conv
from headstart.backbones.mlp import MLP
from headstart.data.dataset import Dataset
from headstart.modalities.base import Modality
from headstart.modalities.image import Image
from headstart.modalities.numeric import Numeric
from headstart.objectives.autoencoder import Autoencoder
from headstart.objectives.denoising import Denoising
from headstart.objectives.variational import Variational
from headstart.parts.learner import Learner
from headstart.training.loggers.mlflow import MLflow
from headstart.training.loggers.tensorboard import TensorBoard
from headstart.training.loggers.trackio import Trackio
from headstart.training.loggers.wandb import WandB
from headstart.training.watching import Watcher
from headstart.types import Features, Spec

_ = (Conv, MLP, Image, Numeric, Autoencoder, Denoising, Variational, Run, load, Modality)
_ = (Watcher.name, collectives.gather, collectives.own_rows, collectives.mean_over_processes)
_ = (collectives.sum_over_processes,)
_ = (Dataset.target_name, Learner.needs, Spec.cardinalities, Features.tokens)
_ = (MLflow, TensorBoard, Trackio, WandB)
