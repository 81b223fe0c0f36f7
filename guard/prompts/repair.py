"""Repairing: undoes what people do to the words of a text to slip past a filter.

Letters spelled out ("k i l l", "k.i.l.l"), words cut in two ("ki ll") or glued together, and what
``respell`` finds in single words. A repair is made only where it turns something that is no word
into words, so that "8 k, 35mm, f/1.8" and names stay what they are. Works on folded readings.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

from guard.prompts.reading import Edit, Reading
from guard.prompts.respell import LEET_MARKS, likeliest, respelt, unleeted, unstretched
from guard.prompts.segment import LIKELY_WORDS, Cut, cut, is_inflected, known_share, word_score
from guard.prompts.vocabulary import Vocabulary

_CLEARLY = -2.2  # and from which letters that stand apart from others are more than one word
_MAX_TOKEN = 40  # characters; longer tokens are codes and addresses, not words
_MIN_JOINED = 4  # letters of a word that is believed to have been cut in two
_MIN_GAIN = 8.0  # log odds from which two words are believed to be one that was cut
_MIN_GLUED = 12  # letters from which a run that is no word may be several; shorter are compounds
_SURELY_GLUED = 20  # letters of such a run from which all others of the text may be glued too
_MIN_GLUED_TOO = 5
_MIN_ALONE = 8  # letters of a text that is one run, or of a hashtag, for it to be several words
_SHORTEST, _LONGER = 2.0, 4.1  # letters a word, where all is glued and where one word may be
_MIN_PART = 3  # letters of each of two words that were glued
_MOSTLY_WORDS = 0.5  # share of the letters in known words, for a slip to be one in English
_IN_LEET = 2  # words in leet that make a text one in leet

_SPELLED = re.compile(r"(?<![^\W_])[a-z0-9@$](?:(?:(?![@$])[\W_]){1,4}[a-z0-9@$]){2,}(?![^\W_])")
_TOKEN = re.compile(r"[^\s,;:()\[\]{}<>\"'‘’“”]+")
_LEET_TOKEN = re.compile(rf"[a-z{re.escape(LEET_MARKS)}]+")
_EDGES = ".!?*_-|+/\\"
_WORDS_APART = re.compile(r"(?<![a-z'])([a-z]{1,12}) (?=([a-z]{1,12})(?![a-z]))")
_LETTERS = re.compile(r"[a-z]+")
_CHUNK = re.compile(r"\S+")
_APOSTROPHES = ("'", "\u2019")
_CLITICS = ("s", "t", "re", "ve", "ll", "m", "d")


def repair(reading: Reading, vocabulary: Vocabulary) -> Reading:
    """The reading with its words repaired; the same object where there was nothing to repair.

    A plain reading becomes "repaired" where a word was disguised, "respaced" where words were only
    glued, cut, stretched or mistyped, which honest people do too.
    """
    name = reading.name
    for find in (_spelled_out, _cut_in_two, _misspelt, _glued):
        edits = list(find(reading, vocabulary))
        if not edits:
            continue
        if reading.name == "plain":
            was = "".join(reading.text[edit.start : edit.end] for edit in edits)
            openly = find is not _spelled_out and all(c.isalpha() or c in " -" for c in was)
            name = "respaced" if openly and name != "repaired" else "repaired"
        reading = reading.edited(reading.name, edits)
    return reading._replace(name=name) if name != reading.name else reading


def _spelled_out(reading: Reading, vocabulary: Vocabulary) -> Iterator[Edit]:
    text = reading.text
    believed: list[Edit] = []
    doubted: list[Edit] = []
    certain = 0  # words spelled out; after two of them, what is no word on record is one too
    for match in _SPELLED.finditer(text):
        at = [i for i in range(*match.span()) if text[i].isalnum() or text[i] in "@$"]
        if sum(text[i].isalpha() for i in at) < 3:
            continue
        if len(at) == 3 and text[at[0] + 1 : at[1]] != text[at[1] + 1 : at[2]]:
            continue  # "i'm a"
        groups = _groups(reading, at)
        sure = len(groups) > 1 or certain > 1
        letters = ["".join(text[i] for i in group) for group in groups]
        found = [_words_in(each, vocabulary, sure=sure) for each in letters]
        words = [word for each in found for word in each]
        score = sum(word_score(word, vocabulary) for word in words) / sum(map(len, words))
        whole = len(words) == 1 and vocabulary.knows(words[0])
        if (whole or score > LIKELY_WORDS) and max(map(len, words)) > 2:
            believed += chain.from_iterable(map(_joined, groups, found))
            certain += len(words)
        else:
            doubted += chain.from_iterable(map(_joined, groups, [[each] for each in letters]))
    edits = sorted(believed + doubted) if certain > 1 else believed
    yield from (edit for edit in edits if edit.text != text[edit.start : edit.end])


def _joined(group: Sequence[int], words: Sequence[str]) -> Iterator[Edit]:
    """One edit a word where its letters are those that were typed, else one for all."""
    if sum(map(len, words)) != len(group):
        yield Edit(group[0], group[-1] + 1, " ".join(words))
        return
    done = 0
    for word in words:
        first, last = group[done], group[done + len(word) - 1]
        done += len(word)
        apart = "" if done == len(group) else " "
        yield Edit(first, group[done] if apart else last + 1, word + apart)


def _groups(reading: Reading, at: Sequence[int]) -> list[Sequence[int]]:
    """Letters spelled out, parted where something else stands between two than between most.

    In "k i l l  h e r" that is a wider space, in "k.i.l.l h.e.r" a space instead of a dot.
    """
    text = reading.text
    between = [(text[i + 1 : j], reading.starts[j] - reading.ends[i]) for i, j in pairwise(at)]
    usual, count = Counter(between).most_common(1)[0]
    if 2 * count <= len(between):
        return [at]
    breaks = [i + 1 for i, mark in enumerate(between) if mark != usual]
    return [at[start:end] for start, end in pairwise([0, *breaks, len(at)])]


def _words_in(letters: str, vocabulary: Vocabulary, *, sure: bool) -> Sequence[str]:
    """``sure``: the letters are one word, unless they are clearly several."""
    spellings = list(unleeted(letters)) if any(c in LEET_MARKS for c in letters) else [letters]
    for spelling in spellings:
        for word in unstretched(spelling):
            if vocabulary.knows(word):
                return [word]
    words, score = cut(spellings[0], vocabulary)
    return words if score > _CLEARLY or not sure else spellings[:1]


def _cut_in_two(reading: Reading, vocabulary: Vocabulary) -> Iterator[Edit]:
    done = 0
    for match in _WORDS_APART.finditer(reading.text):
        first, second = match.groups()
        whole = first + second
        if match.start() < done or first in "ai" or second in "ai":
            continue
        if len(second) == 1 and vocabulary.knows(first):
            continue
        if len(first) == 1 and vocabulary.knows(second):
            continue
        both = vocabulary.knows(first) and vocabulary.knows(second)
        is_one = vocabulary.knows(whole) or (not both and is_inflected(whole, vocabulary))
        if len(whole) < _MIN_JOINED or not is_one:
            continue
        if both:
            apart = vocabulary.log_probability(first) + vocabulary.log_probability(second)
            if vocabulary.log_probability(whole) - apart < _MIN_GAIN:
                continue
        done = match.end(1) + 1 + len(second)
        yield Edit(match.start(), done, whole)


def _misspelt(reading: Reading, vocabulary: Vocabulary) -> Iterator[Edit]:
    edits = list(_respelt_tokens(reading, vocabulary, in_leet=False))
    disguised = [e for e in edits if any(c in LEET_MARKS for c in reading.text[e.start : e.end])]
    if len(disguised) >= _IN_LEET:
        edits = list(_respelt_tokens(reading, vocabulary, in_leet=True))
    yield from edits


def _respelt_tokens(reading: Reading, vocabulary: Vocabulary, *, in_leet: bool) -> Iterator[Edit]:
    text = reading.text
    slips = known_share(text, vocabulary) > _MOSTLY_WORDS
    for match in (_LEET_TOKEN if in_leet else _TOKEN).finditer(text):
        token = match[0].rstrip(_EDGES).lstrip(_EDGES.replace("!", "") if in_leet else _EDGES)
        start = match.start() + match[0].index(token)
        places = range(start, start + len(token))
        if len(token) <= _MAX_TOKEN and _is_stretched(reading, places):
            single = likeliest(unstretched(token), vocabulary)
            if single is not None:
                if single != token:
                    yield Edit(start, start + len(token), single)
                continue
        if not (1 if in_leet else 3) <= len(token) <= _MAX_TOKEN or vocabulary.knows(token):
            continue
        brief = "".join(
            text[i] for i in places if i == start or reading.starts[i] != reading.starts[i - 1]
        )
        better = respelt(token, brief, vocabulary, in_leet=in_leet, slips=slips)
        if better is not None:
            yield Edit(start, start + len(token), better)


def _is_stretched(reading: Reading, places: Sequence[int]) -> bool:
    """Whether a letter was typed three times or more: folding leaves two of them.

    No word has that, so "off" that was "offf" may as well be "of".
    """
    return reading.name == "plain" and any(
        reading.text[i] == reading.text[i - 1]
        and reading.ends[i] - reading.starts[i] > reading.ends[i - 1] - reading.starts[i - 1]
        for i in places[1:]
    )


def _glued(reading: Reading, vocabulary: Vocabulary) -> list[Edit]:
    every = list(_LETTERS.finditer(reading.text))
    letters = sum(map(str.isalpha, reading.text))
    enough = min(_SURELY_GLUED, max(letters / 2, _MIN_GLUED))
    sure: list[re.Match[str]] = []
    tags: list[re.Match[str]] = []  # hashtags are glued whatever stands around them
    for chunk in _CHUNK.finditer(reading.text):
        # "he'slyingtoher": marks within part the letters, but no space does.
        runs = _LETTERS.finditer(reading.text, chunk.start(), chunk.end())
        within = [run for run in runs if len(run[0]) >= _MIN_GLUED_TOO]
        unknown = sum(len(run[0]) for run in within if not vocabulary.knows(run[0]))
        if unknown >= (_MIN_ALONE if unknown == letters else enough):
            sure += within
        elif unknown >= _MIN_ALONE and chunk[0][0] == "#":
            tags += within
    if any(_cut_runs(sure, vocabulary, _SHORTEST)):
        return list(_cut_runs(every, vocabulary, _SHORTEST))
    long = [run for run in every if len(run[0]) >= _MIN_GLUED]
    found = {*_cut_runs(long, vocabulary, _LONGER), *_cut_runs(tags, vocabulary, _SHORTEST)}
    return sorted(found)


def _cut_clitic(run: str, vocabulary: Vocabulary) -> Cut:
    """The cut of letters after an apostrophe, which begin with the end of a word: "'tbesad"."""
    rests = [(each, run[len(each) :]) for each in _CLITICS if run.startswith(each)]
    cuts = [(each, cut(rest, vocabulary)) for each, rest in rests if rest]
    if not cuts:
        return cut(run, vocabulary)
    clitic, best = max(cuts, key=lambda pair: pair[1].score)
    return Cut((clitic, *best.words), best.score)


def _cut_runs(
    runs: Iterable[re.Match[str]], vocabulary: Vocabulary, shortest: float
) -> Iterator[Edit]:
    for run in runs:
        if vocabulary.knows(run[0]) or is_inflected(run[0], vocabulary):
            continue
        after = run.string[run.start() - 1 : run.start()] in _APOSTROPHES
        words, score = _cut_clitic(run[0], vocabulary) if after else cut(run[0], vocabulary)
        compound = len(words) == 2 and min(map(len, words)) < _MIN_PART
        if score <= LIKELY_WORDS or len(words) < 2 or compound:
            continue
        if len(run[0]) >= shortest * len(words):
            yield Edit(run.start(), run.end(), " ".join(words))
