"""Singular and plural of English nouns, by rule and short lists of exceptions.

Names that are only used in the plural keep their form ("jeans", "scissors").
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("/") for pair in text.split())


PLURAL_ONLY = _words("""
jeans pants shorts trousers slacks tights leggings overalls pajamas pyjamas underpants sweatpants
sunglasses eyeglasses spectacles glasses goggles binoculars scissors shears tongs pliers tweezers
headphones earphones clothes suspenders skis fireworks groceries goods woods outskirts
surroundings belongings headquarters barracks series species news athletics gymnastics aerobics
graphics electronics ceramics politics mathematics physics economics
""")
_UNCHANGED = _words("""
people sheep deer moose bison elk fish shrimp salmon trout tuna squid aircraft spacecraft hovercraft
offspring cattle poultry police swine buffalo media dice bacteria data graffiti spaghetti broccoli
confetti gas lens canvas atlas christmas texas kansas dallas vegas james kudos asbestos rhinoceros
thermos cosmos chaos alias bias pajamas feces herpes corps means mercedes
""")  # beyond words in -ss, -us and -is, which are singular unless listed otherwise
_IRREGULAR = _pairs("""
algae/alga aliases/alias alumni/alumnus analyses/analysis antennae/antenna appendices/appendix
atlases/atlas axes/axe blintzes/blintz bookshelves/bookshelf cacti/cactus calves/calf canoes/canoe
canvases/canvas children/child crises/crisis diagnoses/diagnosis does/doe dormice/dormouse
dwarves/dwarf elves/elf feet/foot foci/focus foes/foe fungi/fungus gases/gas geese/goose
grandchildren/grandchild halves/half hippopotami/hippopotamus hoes/hoe hooves/hoof
horseshoes/horseshoe housewives/housewife indices/index irises/iris klutzes/klutz knives/knife
larvae/larva leaves/leaf lenses/lens lice/louse lives/life loaves/loaf matrices/matrix men/man
mice/mouse midwives/midwife oases/oasis oboes/oboe oxen/ox parentheses/parenthesis
passers-by/passer-by passersby/passerby plateaux/plateau quizzes/quiz scarves/scarf
schoolchildren/schoolchild selves/self shelves/shelf shoes/shoe snowshoes/snowshoe
stepchildren/stepchild stimuli/stimulus syllabi/syllabus teeth/tooth theses/thesis thieves/thief
tiptoes/tiptoe toes/toe vertices/vertex waltzes/waltz wharves/wharf wives/wife wolves/wolf
women/woman
""")
_PLURALS = {singular: plural for plural, singular in _IRREGULAR.items()}
_VARIANTS = {"busses": "bus", "gasses": "gas", "octopi": "octopus"}
_PLURALS_IN_CHES = _words("""
aches avalanches caches creches headaches moustaches mustaches niches pastiches psyches quiches
toothaches
""")
_PLURALS_OF_IE = _words("""
cookies brownies movies zombies hoodies selfies smoothies hippies birdies veggies collies genies
rookies calories pixies prairies cowries eyries aeries goalies caddies foodies roadies walkies
talkies walkie-talkies magpies neckties bowties potpies budgies yuppies newbies junkies groupies
indies undies onesies townies techies menageries lingeries coteries eeries boogies bogies sorties
beanies weenies bikies quickies hankies doggies kiddies sweeties cuties veggies barbies aussies
rabies scabies laddies lassies girlies dearies toughies oldies goodies freebies
""")
_PLURALS_IN_USES = (
    "houses", "blouses", "mouses", "spouses", "causes", "pauses", "clauses", "excuses", "abuses",
)  # fmt: skip
_SIBILANTS = ("ches", "shes", "xes", "sses", "zzes")
_PLURALS_IN_VOWEL_S = _words("""
taxis kiwis bikinis saris zucchinis safaris alibis minis jacuzzis khakis martinis paninis salamis
tsunamis raviolis yetis rabbis tutus menus emus gnus gurus haikus bayous caribous chapatis samosas
kimonos zebus okapis corgis yogis genies tiramisus tvs cds pcs
""")


def singularise(word: str) -> str:
    """The singular of a lower-case noun; unchanged if it is singular or only used in the plural.

    >>> [singularise(w) for w in ("dogs", "women", "jeans", "buses", "vases", "cherries", "glass")]
    ['dog', 'woman', 'jeans', 'bus', 'vase', 'cherry', 'glass']
    """
    if word in PLURAL_ONLY or word in _UNCHANGED:
        return word
    if word in _IRREGULAR or word in _VARIANTS:
        return _IRREGULAR.get(word) or _VARIANTS[word]
    if word.endswith("men") and len(word) > 5:
        return word[:-3] + "man" if word not in ("specimen", "abdomen", "regimen") else word
    if word in _PLURALS_IN_VOWEL_S or word in _PLURALS_IN_CHES:
        return word[:-1]
    if not word.endswith("s") or word.endswith(("ss", "us", "'s", "is")) or len(word) < 4:
        return word
    return _strip_plural(word)


def _strip_plural(word: str) -> str:
    """A regular plural without its plural ending."""
    if word.endswith("ies"):
        keeps_ie = word in _PLURALS_OF_IE or len(word) == 4
        return word[:-1] if keeps_ie else word[:-3] + "y"
    if word.endswith(_SIBILANTS):
        return word[:-2]
    if word.endswith("oes"):
        return word[:-2]
    if word.endswith("uses"):
        return word[:-1] if word == "uses" or word.endswith(_PLURALS_IN_USES) else word[:-2]
    return word[:-1]


def pluralise(word: str) -> str:
    """The plural of a singular noun.

    >>> [pluralise(w) for w in ("dog", "woman", "bus", "vase", "cherry", "scissors", "sheep")]
    ['dogs', 'women', 'buses', 'vases', 'cherries', 'scissors', 'sheep']
    """
    if word in _PLURALS:
        return _PLURALS[word]
    if word in PLURAL_ONLY or word.endswith("fish") or (word in _UNCHANGED and word[-1] != "s"):
        return word
    if word.endswith("man") and len(word) > 4:
        return word[:-3] + "men"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")) or word in ("tomato", "potato", "mango", "hero"):
        return word + "es"
    return word + "s"
