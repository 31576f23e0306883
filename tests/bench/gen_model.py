#!/usr/bin/env python3
"""Writes a synthetic model directory, the same bytes every time, for tests and benchmarks.

    gen_model.py DIR [--scale F] [--seed N]

What real models are made of, in their proportions (sizes at --scale 1, 1.57 GB in all):

    model-00001-of-00002.safetensors   470 MB  bf16: normal matrices and norm vectors
    model-00002-of-00002.safetensors   269 MB  bf16
    original/consolidated.02.safetensors       the same bytes as model-00002
    lm_head.fp32.safetensors           201 MB  fp32 normals
    model-awq-int4.safetensors         336 MB  packed int4: does not shrink
    tokenizer.json                      11 MB  text
    assets/NN/item-NNNN.jsonl           13 MB  2,000 small files

--scale shrinks or grows the weights (0.05 is a quick run, 10 makes 16 GB); the small files stay as
many. Needs numpy.
"""
import argparse
import json
import os
import shutil
import struct

import numpy as np

MIB = 1 << 20
ROWS = COLS = 2048  # of one matrix


class Generator:
    def __init__(self, out, scale, seed):
        self.out, self.scale = out, scale
        self.rng = np.random.Generator(np.random.SFC64(seed))

    def path(self, name):
        path = os.path.join(self.out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def values(self, dtype, count, norm):
        """Bytes of count numbers: weights around 0 with sigma 0.02, norms around 1."""
        if dtype == "U8":
            return self.rng.integers(0, 256, count, dtype=np.uint8)
        x = self.rng.standard_normal(count, dtype=np.float32)
        x = 1 + x * np.float32(0.05) if norm else x * np.float32(0.02)
        if dtype == "F32":
            return x
        bits = x.view(np.uint32)  # bf16: the upper half, rounded to nearest even
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)

    def safetensors(self, name, dtype, mib, tensor):
        size = {"BF16": 2, "F32": 4, "U8": 1}[dtype]
        header, layout, offset = {"__metadata__": {"format": "pt"}}, [], 0

        def add(key, shape, norm):
            nonlocal offset
            count = int(np.prod(shape))
            header[key] = {"dtype": dtype, "shape": shape,
                           "data_offsets": [offset, offset + count * size]}
            layout.append((count, norm))
            offset += count * size

        for i in range(max(1, round(mib * MIB * self.scale) // (ROWS * COLS * size))):
            add(f"model.layers.{i}.{tensor}.weight", [ROWS, COLS], False)
            if dtype != "U8":
                add(f"model.layers.{i}.input_layernorm.weight", [COLS], True)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(self.path(name), "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for count, norm in layout:
                f.write(self.values(dtype, count, norm).tobytes())

    def words(self, count):
        """Pronounceable, distinct, some with the mark of a leading space."""
        onset = list("bcdfghjklmnprstvwz") + ["th", "sh", "ch", "st", "tr"]
        vowel = list("aeiou") + ["ai", "ou"]
        found = {}
        while len(found) < count:
            pick = self.rng.integers(0, [len(onset), len(vowel)] * 4, (4096, 8))
            ends = self.rng.integers(1, 5, 4096)
            marks = self.rng.integers(0, 2, 4096)
            for row, end, mark in zip(pick, ends, marks):
                word = "".join(onset[row[2 * k]] + vowel[row[2 * k + 1]] for k in range(end))
                found.setdefault("\u0120" * int(mark) + word, len(found))
        return dict(list(found.items())[:count])

    def tokenizer(self):
        vocab = self.words(int(128000 * min(1, max(self.scale, 0.1))))
        keys = list(vocab)
        pairs = self.rng.integers(0, len(keys), (len(keys) * 2, 2))
        merges = [f"{keys[a]} {keys[b]}" for a, b in pairs]
        with open(self.path("tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump({"version": "1.0",
                       "model": {"type": "BPE", "vocab": vocab, "merges": merges}},
                      f, indent=2, ensure_ascii=False)
        return keys

    def small_files(self, keys):
        for i in range(2000):
            want = int(np.exp(self.rng.uniform(np.log(200), np.log(32768))))
            lines, size = [], 0
            while size < want:
                text = " ".join(keys[k] for k in self.rng.integers(0, len(keys) // 4, 8))
                line = (f'{{"id": {self.rng.integers(1 << 30)}, "text": "{text}", '
                        f'"score": {self.rng.random():.6f}}}\n')
                lines.append(line)
                size += len(line)
            with open(self.path(f"assets/{i % 40:02d}/item-{i:04d}.jsonl"), "w",
                      encoding="utf-8") as f:
                f.write("".join(lines))


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    ap.add_argument("dir")
    ap.add_argument("--scale", type=float, default=1.0)
    ap.add_argument("--seed", type=int, default=12345)
    args = ap.parse_args()
    gen = Generator(args.dir, args.scale, args.seed)
    gen.safetensors("model-00001-of-00002.safetensors", "BF16", 448, "mlp.down_proj")
    gen.safetensors("model-00002-of-00002.safetensors", "BF16", 256, "self_attn.q_proj")
    gen.safetensors("lm_head.fp32.safetensors", "F32", 192, "lm_head")
    gen.safetensors("model-awq-int4.safetensors", "U8", 320, "qweight")
    shutil.copyfile(gen.path("model-00002-of-00002.safetensors"),
                    gen.path("original/consolidated.02.safetensors"))
    gen.small_files(gen.tokenizer())
    with open(gen.path("config.json"), "w", encoding="utf-8") as f:
        json.dump({"architectures": ["LlamaForCausalLM"], "hidden_size": ROWS,
                   "torch_dtype": "bfloat16", "vocab_size": 128256}, f, indent=2)


main()
