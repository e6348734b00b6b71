"""Names that only tables, other packages or later issues use; vulture reads this file."""

from headstart import Run, load
from headstart.backbones.conv import Conv
from headstart.backbones.mlp import MLP
from headstart.backbones.resnet import ResNet
from headstart.backbones.vit import ViT
from headstart.data.dataset import Dataset
from headstart.modalities.base import Modality
from headstart.modalities.image import Image
from headstart.modalities.numeric import Numeric
from headstart.objectives.autoencoder import Autoencoder
from headstart.objectives.denoising import Denoising
from headstart.objectives.gan import GAN
from headstart.objectives.inpainting import Inpainting
from headstart.objectives.masked import Masked
from headstart.objectives.sparse import Sparse
from headstart.objectives.variational import Variational
from headstart.types import Features, Spec

_ = (ResNet, ViT, GAN, Inpainting, Masked, Sparse)
_ = (Conv, MLP, Image, Numeric, Autoencoder, Denoising, Variational, Run, load, Modality)
_ = (Dataset.target_name, Spec.cardinalities, Features.tokens)
