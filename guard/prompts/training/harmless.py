"""Our own harmless sentences with dangerous words, and the tails that prompt writers add.

Hard negatives: a filter that knows only words flags them, or takes the name of a group for hatred.
Tails go on safe and unsafe prompts alike, so that the model cannot learn style for harm.
"""

import random
from itertools import product

TAILS = (
    "highly detailed", "artstation", "(best quality)", "masterpiece", "8k", "sharp focus",
    "trending on artstation", "cinematic lighting", "octane render", "digital painting",
    "concept art", "(masterpiece:1.2)", "intricate", "photorealistic", "oil on canvas",
    "unreal engine 5", "soft light", "50mm", "bokeh", "watercolour", "ultra realistic",
    "volumetric lighting", "(highly detailed:1.1)", "matte painting", "film grain", "hdr",
)  # fmt: skip

_FRAMES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("how do I kill", "the command to kill", "a cartoon of a developer trying to kill"),
        (
            "a python process",
            "a frozen program",
            "all background jobs",
            "the lights",
            "some time",
            "a zombie process on linux",
            "the engine of an old car",
        ),
    ),
    (
        ("shoot", "how to shoot", "a photographer about to shoot", "we want to shoot"),
        (
            "a portrait at golden hour",
            "a short film",
            "a wedding in the rain",
            "a free throw",
            "a penalty in the last minute",
            "a music video on the beach",
            "macro photos of bees",
        ),
    ),
    (
        ("a poster for", "photo of", "an illustration of", "how to bake", "a plate with"),
        (
            "a bath bomb with lavender",
            "a cherry bomb dessert",
            "chocolate bombs",
            "death by chocolate cake",
            "blood orange juice",
            "a bloody mary with celery",
            "devilled eggs",
            "dirty rice",
        ),
    ),
    (
        ("a photo of", "a watercolour of", "an oil painting of", "a child's drawing of"),
        (
            "a naked mole rat",
            "chicken breasts on a grill",
            "a nude coloured lipstick",
            "bare trees in winter",
            "a cock crowing on a fence",
            "blue tits at a feeder",
            "a shuttlecock",
            "hot dogs",
            "a stripped wooden chair",
            "a pussy willow branch",
            "a nursing cat with kittens",
        ),
    ),
    (
        ("a still from", "the cover of", "a scene in"),
        (
            "a crime novel with a detective",
            "a war museum with old rifles",
            "a chess game called slaughter",
            "a pirate film with toy swords",
            "a murder mystery dinner party",
            "a video game boss fight",
        ),
    ),
    (
        (
            "a poster about",
            "a lecture on",
            "an infographic about",
            "a volunteer handing out leaflets on",
        ),
        (
            "suicide prevention",
            "breast cancer screening",
            "quitting drugs",
            "the history of slavery",
            "gun safety",
            "how vaccines kill germs",
            "hate crime laws",
            "first aid for bleeding wounds",
            "sexual health at a clinic",
            "bullying and how to stop it",
            "fire drills in schools",
        ),
    ),
    (
        ("", "photo of ", "sketch of ", "a vintage poster of "),
        (
            "a knife cutting tomatoes",
            "an axe in a log",
            "a fencer with a sabre",
            "a butcher shop window",
            "an archer hitting the target",
            "a surgeon in an operating theatre",
            "a boxer training",
            "a blood moon over the sea",
            "a dead tree in the desert",
            "a skeleton in a biology class",
            "a gun dog with a duck",
            "a sniper butterfly orchid",
            "a race car that crashed the party",
            "a potato in a hammock",
            "a baby in a bathtub with a rubber duck",
            "a mother breastfeeding",
            "a black man reading to his daughter",
            "two women getting married",
            "a mosque at sunset",
            "a rabbi and an imam shaking hands",
            "a gay couple cooking dinner",
            "a wheelchair race",
            "a statue of venus in a museum",
            "david by michelangelo",
            "a couple kissing in the rain",
            "a sumo wrestler",
            "a bikini on a washing line",
            "a swimming team",
            "a sleeping girl with a cat",
            "a hit song",
            "a killer whale jumping",
            "a shotgun wedding cake",
            "ginger beer and drugstore sign",
        ),
    ),
    (
        ("", "a photo of ", "a painting of "),
        (
            "black people at a party",
            "a muslim family cooking dinner",
            "gay men at their wedding",
            "jewish friends lighting candles",
            "mexican musicians on a square",
            "chinese students in a library",
            "women at work in a laboratory",
            "a women's rights march",
            "a disabled veteran at a parade",
            "immigrants at a citizenship ceremony",
            "an arab engineer at her desk",
            "indian dancers in bright saris",
            "a transgender woman in a cafe",
            "lesbian mothers with a pram",
            "old white men playing chess",
            "refugees planting a garden",
            "a black doctor with a patient",
            "asian grandmothers dancing",
            "a fat man on a bicycle",
            "native americans at a drum circle",
            "a homeless man with his dog",
            "nuns and imams at a meeting",
            "women in hijabs playing football",
            "a latina chef in her kitchen",
            "deaf people signing",
            "a blind runner with a guide",
            "roma musicians at a wedding",
            "a pride parade in the rain",
            "feminists painting banners",
            "catholics at mass",
        ),
    ),
)


def sentences() -> list[str]:
    """All harmless sentences, some 400."""
    return [
        f"{start} {end}".strip()
        for starts, ends in _FRAMES
        for start, end in product(map(str.strip, starts), ends)
    ]


def with_tail(text: str, rng: random.Random) -> str:
    """The text with one to four tails after it."""
    return ", ".join((text, *rng.sample(TAILS, rng.randint(1, 4))))
