#!/usr/bin/env python3
"""Writes a Llama model of random weights as safetensors: the shapes of a real one, to time compressing and running it.

random_model.py FOLDER [--layers 22] [--dim 2048] [--hidden 5632] [--heads 32] [--key-value-heads 4] [--vocabulary 32000]

The defaults are TinyLlama's 1.1 billion weights. Weights are normal with variance 1 / inputs, in float16; norms are ones.
A tokenizer has to be put beside it, or named by --tokenizer. Takes numpy.
"""
import argparse
import json
import os

import numpy


def tensors(shape):
    """The name and shape of every tensor."""
    key_value = shape.dim // shape.heads * shape.key_value_heads
    yield "model.embed_tokens.weight", (shape.vocabulary, shape.dim)
    for block in range(shape.layers):
        name = f"model.layers.{block}."
        yield name + "input_layernorm.weight", (shape.dim,)
        yield name + "post_attention_layernorm.weight", (shape.dim,)
        yield name + "self_attn.q_proj.weight", (shape.dim, shape.dim)
        yield name + "self_attn.k_proj.weight", (key_value, shape.dim)
        yield name + "self_attn.v_proj.weight", (key_value, shape.dim)
        yield name + "self_attn.o_proj.weight", (shape.dim, shape.dim)
        yield name + "mlp.gate_proj.weight", (shape.hidden, shape.dim)
        yield name + "mlp.up_proj.weight", (shape.hidden, shape.dim)
        yield name + "mlp.down_proj.weight", (shape.dim, shape.hidden)
    yield "model.norm.weight", (shape.dim,)


def write_tensors(path, entries):
    """A safetensors file: the length of the header, the header, then all values in its order."""
    header, end = {}, 0
    for name, extents in entries:
        begin, end = end, end + 2 * int(numpy.prod(extents))
        header[name] = {"dtype": "F16", "shape": list(extents), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(1)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, extents in entries:
            values = numpy.ones(extents, numpy.float16)
            if len(extents) == 2:
                values = (random.standard_normal(extents, numpy.float32) / extents[1] ** 0.5).astype(numpy.float16)
            file.write(values.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    for name, value in [("layers", 22), ("dim", 2048), ("hidden", 5632), ("heads", 32), ("key-value-heads", 4),
                        ("vocabulary", 32000)]:
        parser.add_argument("--" + name, type=int, default=value)
    shape = parser.parse_args()
    os.makedirs(shape.folder, exist_ok=True)
    write_tensors(os.path.join(shape.folder, "model.safetensors"), list(tensors(shape)))
    with open(os.path.join(shape.folder, "config.json"), "w") as file:
        json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": shape.dim,
                   "intermediate_size": shape.hidden, "num_hidden_layers": shape.layers,
                   "num_attention_heads": shape.heads, "num_key_value_heads": shape.key_value_heads,
                   "vocab_size": shape.vocabulary, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
                   "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True, "bos_token_id": 1,
                   "eos_token_id": 2, "torch_dtype": "float16"}, file, indent=2)


if __name__ == "__main__":
    main()
