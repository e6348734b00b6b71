"""Names that only tables, other packages or later issues use; vulture reads this file."""

from headstart import Run, load
from headstart.backbones.conv import Conv
from headstart.backbones.mlp import MLP
from headstart.data.dataset import Dataset
from headstart.modalities.base import Modality
from headstart.modalities.image import Image
from headstart.modalities.numeric import Numeric
from headstart.objectives.autoencoder import Autoencoder
from headstart.objectives.barlow import BarlowTwins
from headstart.objectives.byol import BYOL
from headstart.objectives.denoising import Denoising
from headstart.objectives.dino import DINO
from headstart.objectives.lejepa import LeJEPA
from headstart.objectives.simclr import SimCLR
from headstart.objectives.simsiam import SimSiam
from headstart.objectives.variational import Variational
from headstart.objectives.vicreg import VICReg
from headstart.parts.learner import Learner
from headstart.training.watching import Watcher
from headstart.types import Features, Spec

_ = (Conv, MLP, Image, Numeric, Autoencoder, Denoising, Variational, Run, load, Modality)
_ = (Watcher.name,)
_ = (SimCLR, VICReg, BarlowTwins, BYOL, SimSiam, DINO, LeJEPA)
_ = (Dataset.target_name, Learner.needs, Spec.cardinalities, Features.tokens)
