"""The rival of mlm_speed.py, run by a Python that has transformers: its Trainer and its collator.

Reads a line from standard input before each round of steps, and answers each with the tokens it
learned from (padding not counted), and the seconds it took by the clock and of processors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class Rounds(TrainerCallback):
    """Ends a round every `steps` steps, and waits for the next."""

    def __init__(self, steps: int) -> None:
        self.steps, self.tokens = steps, 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if state.global_step % self.steps == 0:
            if state.global_step:
                clock, processor = time.perf_counter(), time.process_time()
                print(
                    json.dumps([self.tokens, clock - self.clock, processor - self.processor]),
                    file=self.out, flush=True,
                )  # fmt: skip
            if not sys.stdin.readline():
                control.should_training_stop = True
            self.tokens, self.clock, self.processor = 0, time.perf_counter(), time.process_time()

    out = sys.stdout


def network(name: str, size: dict[str, int], vocabulary: int, window: int) -> torch.nn.Module:
    """Four layers of that width, without pre-trained weights."""
    common = {
        "vocab_size": vocabulary, "hidden_size": size["width"], "num_hidden_layers": size["depth"],
        "num_attention_heads": size["heads"], "max_position_embeddings": window,
        "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2,
        "eos_token_id": 3,
    }  # fmt: skip
    if name == "bert":
        return BertForMaskedLM(BertConfig(intermediate_size=4 * size["width"], **common))
    config = ModernBertConfig(
        intermediate_size=size["hidden"], global_attn_every_n_layers=1, **common
    )
    return ModernBertForMaskedLM(config)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path, help="JSON: token numbers of each text")
    parser.add_argument("tokenizer")
    parser.add_argument("size", type=json.loads)
    parser.add_argument("--network", choices=("modernbert", "bert"), default="modernbert")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--window", type=int)
    parser.add_argument("--ratio", type=float)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=options.tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    rows = [{"input_ids": ids} for ids in json.loads(options.rows.read_text())]
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=options.ratio)
    rounds = Rounds(options.steps)

    def counted(samples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = collate(samples)
        rounds.tokens += int((batch["attention_mask"]).sum())
        return batch

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=options.batch_size, max_steps=10**6,
            learning_rate=1e-3, logging_strategy="no", save_strategy="no", report_to=[],
            use_cpu=True, disable_tqdm=True, optim="adamw_torch_fused",
        )  # fmt: skip
        model = network(options.network, options.size, len(tokenizer), options.window)
        trainer = Trainer(
            model, arguments, data_collator=counted, train_dataset=rows, callbacks=[rounds]
        )
        print(json.dumps(sum(p.numel() for p in model.parameters())), flush=True)
        rounds.out, sys.stdout = sys.stdout, sys.stderr  # what the Trainer prints is no answer
        trainer.train()


if __name__ == "__main__":
    main()
