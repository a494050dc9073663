#!/usr/bin/env python3
"""Writes the token ids that Hugging Face's `tokenizers` gives for awkward texts, for tests/text.

usage: make_tokenizer_golden.py tests/text/data pretokenizer_regexes.json

Writes hf_vectors.jsonl (whole tokenizers: deepseek-llm, deepseek-coder, and the coder vocabulary behind the
pre-tokenizer of DeepSeek-V3) and hf_components.jsonl (one small vocabulary whose merges know no word borders,
so that the ids show where each pre-tokenizer cut; a line for each component). Needs tokenizers and zstd.
"""
import json
import random
import subprocess
import sys

from tokenizers import Tokenizer, models, trainers

from make_test_tokenizer import pre_tokenizer

FIXED = [
    "", " ", "  ", "   ", "\n", "\r", "\r\n", "\n\n", "\t", " \t ", "\n \n", " \n  \n   x", "a \n", "a  \nb", "a\r\nb\rc",
    "Hello, world!", "Hello  World", " Hello", "  Hello", "hello\n", "I'm you're he'LL 'tis o'clock", "don't",
    "3.14159", "1234567890", "12 345 6789", "x1y22z333", "٣٤٥ ४५६ ３４５ Ⅷ ½ ²³ ①②", "1e-10", "0x7fff",
    "The quick brown fox jumps over the lazy dog.", "DeepSeek-V2: A Strong, Economical, and Efficient MoE",
    "你好，世界！", "我在北京，晚饭后，公司。", "深度求索 DeepSeek 模型 v2", "これはテストです。", "カタカナとひらがな",
    "안녕하세요 세계", "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "Xin chào thế giới, tiếng Việt", "ქართული ენა", "Ողջույն", "Tiếng Việt ế ẫ", "naïve café résumé", "straße ẞ",
    "Führer ÿ þ ø ö ú õ ÷ û ý À ù Á", "ǅ ǈ ʔ ƻ ǀ", "ﬁ ﬂ ﬀ", "Ａｂｃ　１２３　！？", "“quotes” ‘single’ — dash… „low“",
    "😀", "😀😃 😄", "👨‍👩‍👧‍👦 family", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag", "🇨🇳🇩🇪", "👍🏽", "a😀b", " 😀", "❤️", "✅ done", "e\u0301 a\u0308o",
    "\u0301", "a\u200db", "\u200b", "x\u00a0y", "\u00a0\u00a0x", "\u3000x", "x\u3000\u3000", "\u3000。", "\u2003\u2003x",
    "\u2028\u2029", "\u0085", "a\u0085b", "\u180e", "a\u180e\u180eb", "\u1680x", "\ufeffBOM", "\u00adsoft", "\u0000",
    "a\u0000b", "\u0001\u0002\u001f\u007f", "\u001c\u001d", "\x0b\x0c x", "\ufffd", "\uffff", "\U000e0001", "\U0010ffff",
    "𐐀𐐁 𝒜𝓑 𠀀𠀁", "𞤀𞤁", "ᏣᎳᎩ ᏸ", "Ⱀⰰ", "ꙀꙁꚀ", "ꭰꭱ",
    "for (int i = 0; i < n; ++i) {\n\treturn x[i] * 2.5f;  // ok\n}\n", "def f(x):\n    return x**2\n\n\n",
    "<html>\n  <body class=\"a\">&nbsp;</body>\n</html>", "SELECT * FROM t WHERE a='b';", "{\"k\": [1, 2, {\"z\": null}]}",
    "http://example.com/a?b=c&d=%20#x", "user@example.com", "C:\\path\\to\\file", "$x_{i}^2 + \\alpha$", "#!/bin/sh -e",
    "<｜begin▁of▁sentence｜>", "<｜begin▁of▁sentence｜>hi<｜end▁of▁sentence｜>", "x<｜end▁of▁sentence｜> y",
    "<｜begin▁of▁sentence|>", "<|begin_of_sentence|>", "<｜begin▁of", "<<｜end▁of▁sentence｜>>", "<｜fim▁hole｜>",
    "<|EOT|>", "a<|User|>b", "<｜User｜>hello<｜Assistant｜>", "<pad>", "<｜end▁of▁sentence｜><｜end▁of▁sentence｜>",
    "a" * 70, "ab" * 60, "=" * 100, "-" * 33, " " * 40, " " * 41 + "x", "\n" * 20, "\t" * 17, "1" * 50, "，" * 30, "哈" * 50,
    "Supercalifragilisticexpialidocious" * 3, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b", "a" + " " * 10 + "b" + " " * 10,
]

ALPHABETS = [
    "abc xyz", "aé ß ü", "0 1a", " \n", " \r\n\ta", "你好 a，", "가나 a1", "!?. a", "\u00a0\u3000 a!", "😀👍🏽\u200d a",
    "e\u0301\u0308 a", "ΩЖя a1", "，。！a 1\n", "‘“”a  ", "\u2003\u2009\u2028a", "ﬁＡａ１！ ", "٣४Ⅷ½a ", "<｜>▁a", "'stremvld a",
    "ếẫ a\u1e00", "_-a1 .", "\u0000\u001f a", "𐐀𠀀 a",
]


def texts():
    random.seed(20)
    out = list(FIXED)
    for alphabet in ALPHABETS:
        for _ in range(6):
            out.append("".join(random.choice(alphabet) for _ in range(random.randint(3, 24))))
    everything = "".join(ALPHABETS)
    for _ in range(60):
        out.append("".join(random.choice(everything) for _ in range(random.randint(5, 40))))
    return out


def load(path):
    return json.loads(subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout)


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{path}: {len(lines)} lines")


def whole_tokenizers(folder, regexes):
    coder = load(f"{folder}/deepseek-coder.tokenizer.json.zst")
    v3 = dict(coder, pre_tokenizer=pre_tokenizer(next(v for k, v in regexes.items() if k.startswith("deepseek-v3"))))
    named = {"deepseek-llm": load(f"{folder}/deepseek-llm.tokenizer.json.zst"), "deepseek-coder": coder, "v3-split": v3}
    tokenizers = {name: Tokenizer.from_str(json.dumps(j)) for name, j in named.items()}
    return [{"text": text, **{name: ids_of(t, text) for name, t in tokenizers.items()}} for text in texts()]


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*steps, prefix=False, regex=False):
    last = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*steps, last]}}


def components(vocab):
    def added(content, number, **flags):
        token = {"id": vocab.get(content, number), "content": content, "single_word": False, "lstrip": False,
                 "rstrip": False, "normalized": False, "special": True}
        return {**token, **flags}

    behaviors = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    out = [{}, sequence(), sequence(regex=True), sequence(prefix=True), sequence(prefix=True, regex=True)]
    for behavior in behaviors:
        out.append(sequence(split("-", behavior, kind="String")))
        out.append(sequence(split("[a-c]+", behavior)))
        out.append(sequence(split("[a-c]", behavior, invert=True)))
        out.append(sequence(split("\\s", behavior)))
        out.append(sequence(split("b(?=c)|\\d", behavior, invert=True)))
        out.append(sequence({"type": "Punctuation", "behavior": behavior}))
    for pattern in ["\\s+$", "^a|b$", "\\w+", "\\W", "\\h+", "\\S+", "[^\\s]+", "[\\s\\-]", "(?i:b|'S)", "x*", "\\d{1,3}",
                    "\\p{N}{1,2}", "\\p{Lu}?\\p{Ll}+", "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "\\bab", "a.b", "[.$]", "\\$|\\.", "(a)(b)?"]:
        out.append(sequence(split(pattern, "Isolated")))
    out += [sequence({"type": "Digits", "individual_digits": True}),
            sequence({"type": "Digits", "individual_digits": False}), sequence({"type": "Whitespace"}),
            sequence({"type": "WhitespaceSplit"}), sequence({"type": "Whitespace"}, prefix=True)]
    for flags in [{}, {"lstrip": True}, {"rstrip": True}, {"lstrip": True, "rstrip": True}, {"single_word": True},
                  {"normalized": True, "special": False}, {"special": False}]:
        out.append({"added_tokens": [added("ab", 1000, **flags), added("abc", 1001, **flags), added("b", 1002),
                                     added("-", 1003, normalized=True, special=False)]})
    return out


def component_lines():
    samples = ["the-final--countdown - a-b", "abcabcaa bcab  ccb", "--", "-a-", "a1b22c333", " lead", "tail ", "a  b   c\n\nd ",
               "Ab aB'S ab's cAbA", "x.y $5.00 a\nb", "ab abc xab abx a b ab", "  ab  abc  b ", "éàb ü你好 b", "", " ", "\n",
               "a\nab\n", "½²٣ Ⅷ1", "caaab", "\u00a0ab\u3000b", "b c-ab-abc -b-", "\u180ea\u0085b_c\u0301d"]
    base = Tokenizer(models.BPE())
    from tokenizers.pre_tokenizers import ByteLevel
    base.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=ByteLevel.alphabet())
    base.train_from_iterator(samples * 3, trainer)
    document = json.loads(base.to_str())
    lines = [{"base": document}]
    for replace in components(document["model"]["vocab"]):
        tokenizer = Tokenizer.from_str(json.dumps({**document, **replace}))
        lines.append({"replace": replace, "cases": [[text, ids_of(tokenizer, text)] for text in samples]})
    return lines


def main():
    folder, regexes = sys.argv[1:]
    write_lines(f"{folder}/hf_vectors.jsonl", whole_tokenizers(folder, json.load(open(regexes))))
    write_lines(f"{folder}/hf_components.jsonl", component_lines())


if __name__ == "__main__":
    main()
