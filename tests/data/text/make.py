#!/usr/bin/env python3
"""Writes the files beside it: a text, the byte-level BPE that the Hugging Face `tokenizers` package trains on it, and
what that tokenizer makes of some texts. Needs: pip install tokenizers"""
import json
import pathlib
import random

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).parent
VOCABULARY = 700
WORDS = """the quick brown fox jumps over a lazy dog and isn't it's we'll they've I'm he'd you're round 1990 2026 3.14 17
Straße naïve façade Übergröße ελληνικά русский текст עברית العربية हिन्दी 日本語 中文字 한국어 ½ ² Ⅷ ٣٤ ½½ 😀 👩‍🔬 e\u0301
x=y+1; (a[i]!=b) -> {c} // -- ... !!! 'quoted' "double" don't 'S 'T rock'n'roll under_score http://a.b/c?d=e&f""".split()
SPACES = [" "] * 12 + ["  ", "   ", "\n", "\n\n", "\t", " \n ", "\u00a0", "\u3000", "\r\n"]


def mixture(count, seed):
    choose = random.Random(seed)
    return "".join(choose.choice(WORDS) + choose.choice(SPACES) for _ in range(count))


sample = mixture(2500, seed=1)
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, min_frequency=2, show_progress=False,
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tokenizer.train_from_iterator([sample], trainer)
tokenizer.model.save(str(FOLDER))

texts = ["", " ", "  ", "a", " a", "a ", "a  b", "\n\nx", " \n y ", "it's", "IT'S", "'s", "''s", "x'll've", "'", "' t", "12ab34",
         "a\u00a0b", "\u3000\u3000x", "½kg ²", "\U0001F600\U0001F600 ok", "e\u0301te\u0301", "aaaaaaaaaaaaaaaaaaaaaaa",
         "\u200b\u200bzero width", "tab\t\tend\t", "ǅ ʰ ª", mixture(60, seed=2), mixture(60, seed=3)]
cases = [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts]
(FOLDER / "sample.txt").write_bytes(sample.encode())
(FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
