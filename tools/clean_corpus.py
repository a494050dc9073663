#!/usr/bin/env python3
"""Turns the King James Bible (a verse a line, as the program `bible` prints it) or the Jargon File into documents,
one JSON object {"text": ...} a line: a chapter of the Bible, an entry or a section of the Jargon File.

  clean_corpus.py kjv KJV.txt > kjv.jsonl
  clean_corpus.py jargon JARGON.txt > jargon.jsonl
"""

import hashlib
import json
import re
import sys
from pathlib import Path

BOOKS = dict(pair.split(":") for pair in (
    "Ge:Genesis,Exo:Exodus,Lev:Leviticus,Num:Numbers,Deu:Deuteronomy,Josh:Joshua,Jdgs:Judges,Ruth:Ruth,"
    "1Sm:1 Samuel,2Sm:2 Samuel,1Ki:1 Kings,2Ki:2 Kings,1Chr:1 Chronicles,2Chr:2 Chronicles,Ezra:Ezra,Neh:Nehemiah,"
    "Est:Esther,Job:Job,Psa:Psalms,Prv:Proverbs,Eccl:Ecclesiastes,SSol:Song of Solomon,Isa:Isaiah,Jer:Jeremiah,"
    "Lam:Lamentations,Eze:Ezekiel,Dan:Daniel,Hos:Hosea,Joel:Joel,Amos:Amos,Obad:Obadiah,Jonah:Jonah,Mic:Micah,"
    "Nahum:Nahum,Hab:Habakkuk,Zep:Zephaniah,Hag:Haggai,Zec:Zechariah,Mal:Malachi,Mat:Matthew,Mark:Mark,Luke:Luke,"
    "John:John,Acts:Acts,Rom:Romans,1Cor:1 Corinthians,2Cor:2 Corinthians,Gal:Galatians,Eph:Ephesians,"
    "Phi:Philippians,Col:Colossians,1Th:1 Thessalonians,2Th:2 Thessalonians,1Tim:1 Timothy,2Tim:2 Timothy,"
    "Titus:Titus,Phmn:Philemon,Heb:Hebrews,Jas:James,1Pet:1 Peter,2Pet:2 Peter,1Jn:1 John,2Jn:2 John,3Jn:3 John,"
    "Jude:Jude,Rev:Revelation").split(","))


def bible_chapters(text):
    """'Genesis 1', a blank line, then a verse a line without its number."""
    chapters = {}
    for line in text.splitlines():
        book, chapter, verse = re.match(r"(\d?[A-Za-z]+)(\d+):\d+ (.*)", line).groups()
        chapters.setdefault(f"{BOOKS[book]} {chapter}", []).append(verse.strip())
    return [f"{title}\n\n" + "\n".join(verses) for title, verses in chapters.items()]


def paragraphs(lines):
    """Joins hard-wrapped lines; what is indented deeper than the text (code, verse, tables) keeps its lines."""
    result = []
    for block in "\n".join(lines).split("\n\n"):
        block = [line.rstrip() for line in block.split("\n") if line.strip()]
        if not block or any("cartoon in the Crunchly saga" in line for line in block):
            continue
        indent = min(len(line) - len(line.lstrip()) for line in block)
        result.append("\n".join(line[indent:] for line in block) if indent > 3 else
                      " ".join(line.strip() for line in block))
    return result


def tidy(text):
    """Cross-references lose their braces, quotation marks become plain ones, mail addresses go."""
    text = re.sub(r"\{([^{}]*)\}", r"\1", text)
    text = re.sub(r" ?\(?<[^<>@\s]+@[^<>\s]+>\)?", "", text)
    return text.translate(str.maketrans("‘’“”´", "''\"\"'")).strip()


def jargon_sections(lines):
    """Chapters and appendices, cut at their headings (flush left); tables of contents, history and pronunciation out."""
    unwanted = ("Chapter 3.", "Chapter 10.", "Chapter 11.", "Chapter 12.", "Bibliography", "The Jargon File")
    sections, title, body = [], None, []
    for line in lines + ["Glossary"]:
        if not re.match(r"\S", line) or re.match(r"[^A-Z]", line):
            body.append(line)
            continue
        if title and not title.startswith(unwanted):
            sections.append((re.sub(r"^(Chapter \d+|Appendix \w)\. ", "", title), paragraphs(body)))
        title, body = line.strip(), []
    return sections


def jargon_entries(lines):
    """':name: /pronunciation/, n.' begins an entry; a lone letter, hardly indented, begins a list of names to skip."""
    entries, body = [], None
    for line in lines + ["   :end:"]:
        match = re.match(r"   :(.+?):(\s|$)", line)
        if match or re.match(r" {0,2}\S{1,3}$", line):
            if body:
                entries.append((body[0], paragraphs(body[1:])))
            body = [match[1]] if match else None
        elif body:
            body.append(line)
    return entries


def jargon_documents(text):
    lines = text.replace("\xa0", " ").splitlines()
    glossary, appendix = lines.index("Glossary"), next(i for i, s in enumerate(lines) if s.startswith("Appendix A."))
    parts = (jargon_sections(lines[:glossary]) + jargon_entries(lines[glossary:appendix]) +
             jargon_sections(lines[appendix:]))
    return [tidy(title + "\n\n" + "\n\n".join(body)) for title, body in parts if sum(map(len, body)) > 80]


def main():
    kind, path = sys.argv[1:3]
    documents = {"kjv": bible_chapters, "jargon": jargon_documents}[kind](Path(path).read_text(encoding="utf-8"))
    documents.sort(key=lambda text: hashlib.sha256(text.encode()).digest())  # mixed, and always in the same order
    for text in documents:
        print(json.dumps({"text": text}, ensure_ascii=False))


if __name__ == "__main__":
    main()
