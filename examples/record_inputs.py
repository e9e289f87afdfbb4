"""Records what the matrices of a PyTorch model receive, for `qlr compress --matrices PATTERN --inputs FOLDER`.

    from record_inputs import record_inputs
    with record_inputs(model, r"attention|dense", "inputs"):  # the names of modules, as in the model's file
        for batch in batches:  # a few thousand tokens without padding
            model(**batch)

Writes FOLDER/NAME.npy, float16, (tokens, inputs), for each Linear or Conv1D (GPT-2's) whose name matches. If the names in
the file begin later than the model's, record a part of it: `model.transformer` for GPT-2, `model.bert` for BERT.
"""

import contextlib
import os
import re

import numpy
import torch


@contextlib.contextmanager
def record_inputs(model, pattern, folder):
    received = {}

    def recorder(name):
        def record(module, inputs):
            x = inputs[0].detach()
            received.setdefault(name, []).append(x.reshape(-1, x.shape[-1]).to("cpu", torch.float16, copy=True).numpy())

        return record

    modules = [(name, module) for name, module in model.named_modules() if re.search(pattern, name)]
    wanted = [(name, module) for name, module in modules if type(module).__name__ in ("Linear", "Conv1D")]
    hooks = [module.register_forward_pre_hook(recorder(name)) for name, module in wanted]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    os.makedirs(folder, exist_ok=True)
    for name, batches in received.items():
        numpy.save(os.path.join(folder, name + ".npy"), numpy.concatenate(batches))
