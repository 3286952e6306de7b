"""Text from GPT-2 in PyTorch, token by token: bf16 weights, keys and values in a cache of fixed size, the step of a
token compiled with CUDA graphs (mode "reduce-overhead"), greedy choice on the GPU. It begins with one token."""
import torch
from torch import nn
from torch.nn import functional as F

import gpt
from work import Work, first_step

TOKENS = 256


class Decoder(nn.Module):
    """Reads one token a row (B,1) that stands at `position` (1) and answers the next ones (B,1)."""

    def __init__(self, model, batch, room):
        super().__init__()
        self.model, self.room = model, room
        weight, heads = model.tokens.weight, model.blocks[0].heads
        for name in ("keys", "values"):
            for layer in range(len(model.blocks)):
                cache = weight.new_zeros(batch, heads, room, weight.shape[1] // heads)
                self.register_buffer(f"{name}{layer}", cache)

    def forward(self, tokens, position):
        model = self.model
        x = model.tokens(tokens) + model.positions(position)
        visible = torch.arange(self.room, device=tokens.device)[None, :] <= position[:, None]
        for layer, block in enumerate(model.blocks):
            q, k, v = block.split(x)
            keys, values = getattr(self, f"keys{layer}"), getattr(self, f"values{layer}")
            keys.index_copy_(2, position, k)
            values.index_copy_(2, position, v)
            x = block.join(x, F.scaled_dot_product_attention(q, keys, values, attn_mask=visible))
        return model.answer(model.norm(x)).argmax(-1)


def decoding(options, batch):
    sizes = gpt.TINY if options.tiny else gpt.GPT2
    count = 8 if options.tiny else TOKENS
    model = gpt.Gpt(**sizes).to(options.device, torch.bfloat16).eval()
    decoder = torch.compile(Decoder(model, batch, count), mode="reduce-overhead", dynamic=False)
    first_token = torch.randint(sizes["vocabulary"], (batch, 1), device=options.device)
    places = [torch.tensor([at], device=options.device) for at in range(count)]

    @torch.no_grad()
    def step():
        """Writes all tokens."""
        token = first_token
        for place in places:
            if options.device == "cuda":
                torch.compiler.cudagraph_mark_step_begin()
            token = decoder(token, place).clone()
        return token

    return Work(step, batch * count, {"batch": batch, "tokens": count}, first_step(step, options.device))
