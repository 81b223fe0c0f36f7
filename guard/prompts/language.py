"""Which language a prompt is in, as far as it matters: can the model read it?

The model reads English. Scripts are told by Unicode's names; languages in Latin letters by their
commonest function words, and by how many words are known at all. A wrong "not English" costs a
look by a person, a wrong "English" a silent miss, so doubt goes to the former.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from guard.prompts.fold import fold_character
from guard.prompts.reading import Reading
from guard.prompts.vocabulary import Vocabulary

ENGLISH = "en"
NO_LANGUAGE = "zxx"  # ISO 639-2: no linguistic content
UNKNOWN = "und"  # ISO 639-2: undetermined

_MAX_UNREADABLE_SHARE = 0.1  # of the letters
_MAX_UNREADABLE = 8  # letters; as many Chinese characters are a whole request
_MIN_KNOWN_SHARE = 0.34  # of the words of three letters or more
_SURELY_ENGLISH = 0.9  # share of known words that outweighs function words of another language
_MIN_WORDS = 2

_SCRIPTS = {
    "CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "und-Cyrl",
    "ARABIC": "und-Arab", "HEBREW": "he", "GREEK": "el", "DEVANAGARI": "und-Deva", "THAI": "th",
}  # fmt: skip
_FUNCTION_WORDS = {
    "en": "the a an of in on at with and to is are by from for his her its their this that it "
    "as into who while be or over under up out her him she he they you i my your not very",
    "de": "der die das ein eine einen einem einer und mit von im ist auf für den dem des nicht "
    "zu zum zur am auf aus bei wie ich du sie er wir ohne über unter nach frau mann",
    "fr": "le la les un une des du de et avec dans sur est en au aux pour par qui que il elle "
    "sans sous ses son sa femme homme dans une d'une d'un l",
    "es": "el la los las un una unos unas y con de del en que por para su sus es está al como "
    "sin sobre mujer hombre muy se lo",
    "it": "il lo la gli le un una uno di del della dei delle e con che per nel nella su è al "
    "alla da donna uomo sono si non",
    "pt": "os um uma uns de da dos das e com em na nos nas que por para é ao seu "
    "sua mulher homem sem sobre não se",
    "nl": "de het een en van met voor aan dat niet te zijn bij uit naar vrouw zonder onder ik",
    "sv": "en ett och med av på i är som för den det till att inte från vid kvinna under",
    "pl": "w z na się jest nie że od po przez kobieta mężczyzna oraz dla",
    "tr": "bir ve ile bu için de da olan gibi çok kadın adam üzerinde altında",
    "id": "yang di dan dengan dari untuk ini itu seorang sebuah pada ke dalam tidak wanita pria",
    "vi": "một và của với trong là có được cho người các những này đang trên",
}
_WORD = re.compile(r"[^\W\d_]+")
_MIN_HITS = 2  # different function words
_CLEAR_HITS = 3  # whatever else is known


@lru_cache(1)
def _function_words() -> dict[str, frozenset[str]]:
    return {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}


@lru_cache(4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def language_of(text: str, readings: Sequence[Reading], vocabulary: Vocabulary) -> str:
    """A BCP 47 tag: ``en`` only where the model can be trusted to have read the text.

    ``text`` is what was typed, ``readings`` its folded readings, the plain one first.
    """
    words = _WORD.findall(text[:32_000])
    if not words:
        return NO_LANGUAGE
    unreadable = Counter(
        _SCRIPTS.get(_script(character), UNKNOWN)
        for word in words
        if not word.isascii() and not _readable(word, vocabulary)
        for character in word
        if _script(character) != "LATIN"
    )
    letters = sum(map(len, words))
    if unreadable.total() > min(_MAX_UNREADABLE_SHARE * letters, _MAX_UNREADABLE):
        return unreadable.most_common(1)[0][0]
    typed, *further = (_known_share(reading.text, vocabulary) for reading in readings)
    lowered = {word.lower() for word in words}
    hits = {code: len(row & lowered) for code, row in _function_words().items()}
    foreign = max((code for code in hits if code != ENGLISH), key=lambda code: hits[code])
    # Some words of other languages are known, since people mix them into English prompts.
    clearly = hits[foreign] >= max(_CLEAR_HITS, 2 * hits[ENGLISH])
    if clearly or (_MIN_HITS <= hits[foreign] > hits[ENGLISH] and typed < _SURELY_ENGLISH):
        return foreign
    return UNKNOWN if max(typed, *further, 0.0) < _MIN_KNOWN_SHARE else ENGLISH


def _readable(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a word in letters of other scripts is an English one in disguise."""
    folded = "".join(map(fold_character, word))
    if not folded.isascii():
        return False
    return (
        folded in "ai"
        or vocabulary.knows(folded)
        or any(_script(character) == "LATIN" for character in word)
    )


def _known_share(text: str, vocabulary: Vocabulary) -> float:
    words = re.findall(r"[a-z]{3,}", text)
    if len(words) < _MIN_WORDS:
        return 1.0
    return sum(map(vocabulary.knows, words)) / len(words)
