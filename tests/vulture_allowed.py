"""Names that only tables, other packages or later issues use; vulture reads this file."""

from headstart import Run, Tuning, load
from headstart.backbones.ast import AST
from headstart.backbones.audioconv import AudioConv
from headstart.backbones.causal import Causal
from headstart.backbones.conv import Conv
from headstart.backbones.fttransformer import FTTransformer
from headstart.backbones.mlp import MLP
from headstart.backbones.ngram import Ngram
from headstart.backbones.patchts import PatchTS
from headstart.backbones.resnet import ResNet
from headstart.backbones.tabm import TabM
from headstart.backbones.tcn import TCN
from headstart.backbones.textconv import TextConv
from headstart.backbones.transformer import Transformer
from headstart.backbones.vit import ViT
from headstart.baselines.boosters import LightGBM, XGBoost
from headstart.baselines.numbers import Boosting
from headstart.baselines.pictures import Gradients
from headstart.baselines.recordings import MFCC, SVM
from headstart.baselines.series import Course, Steps
from headstart.baselines.texts import TfIdf
from headstart.data.dataset import Dataset
from headstart.export.folders import Sklearn
from headstart.export.onnx import Onnx
from headstart.export.program import Program
from headstart.export.transformers import Transformers
from headstart.export.weights import Weights
from headstart.modalities.augment.series import SeriesStrengths
from headstart.modalities.augment.settings import Strengths
from headstart.modalities.base import Modality
from headstart.modalities.image import Image
from headstart.modalities.series import Series
from headstart.modalities.sound.settings import Strengths as SoundStrengths
from headstart.modalities.tabular import Table
from headstart.modalities.text import Text
from headstart.objectives.autoencoder import Autoencoder
from headstart.objectives.autoregressive import Autoregressive
from headstart.objectives.barlow import BarlowTwins
from headstart.objectives.binning import Binning
from headstart.objectives.byol import BYOL
from headstart.objectives.causal import CausalLM
from headstart.objectives.denoising import Denoising
from headstart.objectives.dino import DINO
from headstart.objectives.electra import ELECTRA
from headstart.objectives.gan import GAN
from headstart.objectives.inpainting import Inpainting
from headstart.objectives.lejepa import LeJEPA
from headstart.objectives.masked import Masked
from headstart.objectives.mlm import MLM
from headstart.objectives.scarf import SCARF
from headstart.objectives.simclr import SimCLR
from headstart.objectives.simsiam import SimSiam
from headstart.objectives.sparse import Sparse
from headstart.objectives.tsdae import TSDAE
from headstart.objectives.variational import Variational
from headstart.objectives.vicreg import VICReg
from headstart.objectives.vime import VIME
from headstart.objectives.wav2vec import Wav2Vec
from headstart.parts.learner import Learner
from headstart.serve.app import Answers as ServedAnswers
from headstart.study.labelling import first, unsure
from headstart.study.labelling.server import Handler, Server
from headstart.training.loggers.mlflow import MLflow
from headstart.training.loggers.tensorboard import TensorBoard
from headstart.training.loggers.trackio import Trackio
from headstart.training.loggers.wandb import WandB
from headstart.training.watching import Watcher
from headstart.types import Features

_ = (Text, Causal, Ngram, TextConv, Transformer, CausalLM, ELECTRA, MLM, TSDAE)
_ = (Series, TCN, PatchTS, Autoregressive, Course, Steps)
_ = (ResNet, ViT, GAN, Inpainting, Masked, Sparse)
_ = (
    Conv,
    MLP,
    Image,
    Table,
    LightGBM,
    XGBoost,
    TabM,
    FTTransformer,
    VIME,
    SCARF,
    Binning,
    Autoencoder,
    Denoising,
    Variational,
    Run,
    Tuning.best_pretraining,
    load,
    Modality,
)
_ = (Watcher.name,)
_ = (SimCLR, VICReg, BarlowTwins, BYOL, SimSiam, DINO, LeJEPA)
_ = (Dataset.target_name, Learner.needs, Features.tokens)
# Read by their names, all together.
_ = (
    Strengths.rotate,
    Strengths.scale,
    Strengths.flip,
    Strengths.elastic,
    Strengths.brightness,
    Strengths.hue,
)
_ = (Strengths.jitter_share, Strengths.blur_share, Strengths.erase_share)
_ = (
    SoundStrengths.speed,
    SoundStrengths.noise_share,
    SoundStrengths.room_share,
    SoundStrengths.equaliser,
    SoundStrengths.mix_share,
    SoundStrengths.mask_mels,
    SoundStrengths.mask_time,
)
_ = (AudioConv,)
_ = (Onnx, Program, Weights, Sklearn)
_ = (AST, AudioConv, Wav2Vec)
_ = (Onnx, Program, Weights)
_ = (Onnx, Program, Weights, Sklearn, Transformers)
_ = (ServedAnswers.predictions,)
_ = (MLflow, TensorBoard, Trackio, WandB)
_ = (Boosting, Gradients, MFCC, SVM.get_params, TfIdf)
_ = (
    SeriesStrengths.wander,
    SeriesStrengths.magnitude,
    SeriesStrengths.warp,
    SeriesStrengths.reverse,
)
_ = (first.at_random, first.covering, first.typical, first.far)
_ = (unsure.margin, unsure.entropy)
# What http.server reads and calls by name.
_ = (Server.daemon_threads, Server.allow_reuse_address, Handler.protocol_version)
_ = (Handler.server_version, Handler.sys_version, Handler.do_GET, Handler.do_POST)
_ = (Handler.close_connection, Handler.log_message)
