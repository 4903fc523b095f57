"""Reviewed English word lists of the concept rule; all lower case, nouns in the singular.

They were written by topic (times, measures, feelings, ...), not from the errors on some captions,
so that they suit any English captions. A noun that may be an object or an abstract idea ("light",
"stage", "band", "award") is kept: the frequency threshold and the teacher decide.
"""

from __future__ import annotations


def _set(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


CLOSED_CLASS = _set("""
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself
we us our ours ourselves they them their theirs themselves this that these those who whom whose
which what whatever whoever one ones oneself other others another someone somebody something
anyone anybody anything everyone everybody everything nobody nothing none no each both all some
any many much more most few fewer several less least such same own either neither every a an the
and or but nor so if while as because although though unless until when where why how than then
there here now in on at by for from with without within of off to into onto over under above below
behind beside besides between among amongst across along alongside around about against through
throughout during before after since near next past up down out inside outside indoors outdoors
upstairs downstairs nearby together apart away aboard ahead amid atop beneath beyond despite
except like toward towards underneath unlike upon versus via per not be am is are was were been
being do does did done have has had having could may might must shall should will would let
get gets got etc ok okay yes please hello wow oh ah hey hi also just only very too again still
already ever never onstage overhead opposite aloud always often two three four five six seven
eight nine ten eleven twelve twenty sometimes maybe perhaps mid mr mrs ms dr vs aka eg ie th nd rd
""")
"""Never nouns, whatever their tag."""

COLORS = _set("""
red blue green yellow orange purple pink brown black white gray grey tan beige gold silver maroon
turquoise teal navy lime khaki cream burgundy violet lavender crimson scarlet aqua cyan magenta
indigo mauve fuchsia auburn blond blonde ivory amber multicolor multicolored
""")
COLORED_THINGS = _set("orange lime gold silver cream violet lavender blond blonde amber")
"""Colours that also name an object: oranges on a table, but not a man in orange."""

ADJECTIVAL = _set("""
male female adult teen teenage giant mini front back rear side top bottom middle left right main
upper lower inner outer double half lone fellow elder senior junior way mid style size lane
biological olympic musical fictional noble digital electronic visual geographical recurring
religious public western christian american african asian european english british french german
italian spanish indian chinese japanese russian mexican canadian australian über
""")
"""Dropped at the start of a name: a "male model" is a model. Taggers often tag them as nouns."""

QUANTITIES = _set("""
group couple pair bunch lot number set variety collection array assortment selection series row
line dozen hundred thousand million kind type sort form piece part portion section bit range
amount quantity majority rest mix mixture combination sequence trio duo quartet host multitude
plenty load ton handful total half third quarter fraction percentage remainder abundance body view
photo photograph picture image pic close-up closeup shot snapshot portrait illustration drawing
rendering depiction representation display scene sketch silhouette version example sample glimpse
look detail footage selfie
""")
"""Heads replaced by the noun after their "of": "a group of people" names people."""

IDIOMS = frozenset(
    (("of", "course"), ("out", "doors"), ("in", "doors"), ("on", "foot"), ("by", "hand"))
)
"""A word and the noun after it that together name nothing."""

KEPT_IN_NAMES = _set("""
case area center centre piece stop spot space place site set top lot display number zone part work
point surface run ride walk
""")
"""Non-visual by themselves, but good heads of a name: parking lot, chess piece, bus stop."""

_PICTURE_PLACES = """
background backdrop foreground front back rear side top middle bottom center centre end edge left
right upside direction position place spot location area site region zone surface angle
perspective point height width length depth level distance start beginning midst space
"""
_PICTURES = """
view photo photograph picture pic image closeup shot snapshot illustration rendering render
depiction representation footage vector clipart stock thumbnail scene selfie photography version
format resolution template viewer art
"""
_AMOUNTS = """
pair bunch lot number set variety collection array assortment selection series dozen hundred
thousand million billion kind type sort form piece part portion section bit range amount quantity
majority minority rest combination sequence total half third quarter fraction percentage percent
remainder abundance plenty handful ton detail example sample look glimpse row diversity multitude
"""
_TIMES = """
time day daytime night nighttime evening morning afternoon noon midday midnight dawn dusk daylight
twilight today tomorrow yesterday tonight week weekend weekday month year decade century season
spring summer summertime autumn fall winter wintertime second minute hour moment instant while
period era age date past present future finish anniversary birthday holiday christmas easter
halloween thanksgiving eve occasion lifetime childhood adulthood deadline schedule january
february march april may june july august september october november december monday tuesday
wednesday thursday friday saturday sunday
"""
_MEASURES = """
inch mile kilometer kilometre acre hectare degree dollar euro cent price cost value rate size
weight speed temperature volume scale ratio measure dimension average maximum minimum limit rank
score grade count sum figure statistic lb kg cm mm
"""
_QUALITIES = """
color colour shade hue tone style design fashion shape texture quality beauty elegance luxury
comfort condition state situation status mood appearance nature character characteristic feature
aspect difference similarity way manner mode contrast brightness simplicity vibe taste flavor
flavour scent smell sound noise silence strength power energy force ability skill talent knowledge
wisdom intelligence experience freedom peace privacy truth justice order chaos balance harmony
motion movement action activity heat cold warmth dark darkness gravity humidity weather climate
air wealth poverty fame glory
"""
_FEELINGS = """
love hate joy happiness sadness anger fear hope despair pride shame guilt envy surprise excitement
fun delight pleasure pain stress anxiety boredom interest curiosity passion desire wish dream
attention affection emotion feeling spirit faith trust doubt respect honor honour gratitude
sympathy laughter humor humour enthusiasm courage support favor favour patience mourning grief
celebration
"""
_THOUGHTS = """
thing stuff idea concept thought theory fact reason cause effect result consequence purpose aim
intention plan strategy method process procedure technique system approach solution problem issue
question answer matter case instance option choice decision opportunity chance possibility risk
danger threat challenge difficulty trouble mistake error success failure achievement progress
development growth change improvement increase decrease advantage benefit profit loss need demand
supply requirement rule law policy duty responsibility role function use usage importance
influence impact relation relationship connection contact communication conversation discussion
debate argument opinion belief viewpoint mind memory imagination attitude behavior behaviour habit
tradition culture history story tale legend myth fiction science education research study
information news topic subject theme title name word phrase sentence language meaning definition
description reference advice tip trick lesson secret mystery life death birth sake regard
accordance addition inspiration creativity innovation invention discovery summary reality fantasy
fate destiny luck lack absence presence existence instruction respect mention sense kidding
"""
_SOCIETY = """
health illness disease injury treatment therapy diet economy business trade commerce finance
investment income tax debt industry agriculture technology politics democracy government
administration management leadership victory defeat win draw career job work employment task
project campaign program programme service effort attempt try practice community society public
humanity religion crime murder war battle violence terrorism attack genocide revolution crisis
disaster accident incident emergency arrest trial investigation election vote agreement deal
contract treaty independence tourism entertainment leisure recreation relaxation promotion
advertising marketing sale discount launch release premiere debut announcement introduction
participation nomination profession occupation hobby pastime lifestyle event sport music song
interview organization organisation protection attendance assistance care help aid
"""
_ACTS = """
turn move stop wait rush return departure arrival review journey trip travel tour vacation visit
adventure exploration honeymoon outing jump leap dive flip stunt pose gesture glance stare gaze
tackle kick throw hug touch grip grasp chase pursuit search hunt stroll jog walk run ride rescue
escape nap sleep break pause act celebration preparation construction solo
"""
_PLACE_NAMES = """
africa america asia australia europe antarctica usa uk britain england scotland wales ireland
france germany italy spain portugal greece netherlands belgium switzerland austria sweden norway
denmark finland iceland poland russia ukraine japan korea india pakistan bangladesh nepal thailand
vietnam indonesia malaysia singapore philippines iran iraq israel syria egypt morocco kenya
nigeria ethiopia ghana canada mexico cuba brazil argentina chile peru colombia london paris rome
berlin madrid barcelona amsterdam vienna prague moscow istanbul dubai tokyo beijing shanghai
sydney melbourne toronto vancouver montreal manhattan brooklyn chicago boston philadelphia miami
dallas houston seattle vegas hollywood california texas florida hawaii alaska colorado arizona
oregon ohio michigan virginia tennessee louisiana nevada utah montana
"""

NON_VISUAL = _set(
    _PICTURE_PLACES, _PICTURES, _AMOUNTS, _TIMES, _MEASURES, _QUALITIES, _FEELINGS, _THOUGHTS,
    _SOCIETY, _ACTS, _PLACE_NAMES,
)  # fmt: skip
"""Heads that name nothing visible: no box can be drawn around them."""

ABSTRACT_ENDINGS = ("ness", "ity", "ism", "ship", "hood", "ance", "ence")
CONCRETE = _set("""
witness eyewitness harness wilderness lioness baroness business city university celebrity facility
nativity cavity festivity electricity prism organism ship battleship spaceship starship warship
airship flagship steamship dealership township neighborhood neighbourhood hood ambulance entrance
appliance ordnance dance fence audience residence conference substance vacancy ambiance conveyance
lance
""")
"""Objects, although they have an abstract ending."""

GERUND_MODIFIERS = _set("""
living dining parking swimming washing sewing shopping waiting changing cutting ironing frying
mixing baking sleeping rocking walking hiking climbing bowling racing riding fishing hunting
skating dressing landing running training playing drinking serving measuring cooking boxing
reading vending crossing warning surfing skiing steering writing rolling folding carving chopping
sliding swinging spinning weaving bathing drawing painting building wedding magnifying knitting
firing diving driving camping carrying packing loading operating meeting sitting drying holding
filming lighting filling flying hanging clothing roofing sailing rowing jumping teaching
conditioning gardening
""")
"""Before one of `GERUND_HEADS` they form a name: "swimming pool", but not "smiling man"."""
GERUND_HEADS = _set("""
room table lot meter garage space spot pool trunk trunks machine cart bag mall center centre board
pan bowl sheet dish stick chair trail boot boots wall alley car helmet boat pole rod net dog rink
gear strip shoe shoes ground field card fountain glass glasses tray cup pot cake dress ring site
sign desk wheel pin knife door wheel suit cap hall area stand rack house store basket deck list
track mat paper book hole line range trap academy school instructor dock buoy needle brush plane
tank platform structure supply supplies tool tools equipment kit outfit uniform jacket gloves
pants shorts competition event race match lane light fixture saucer
""")
ING_THINGS = _set("""
building painting drawing ceiling clothing railing awning earring ring string wing king swing
sling spring wedding crossing clearing opening dressing frosting icing topping stuffing filling
pudding dumpling duckling herring bedding lighting siding flooring tubing landing lettering
engraving carving etching rigging scaffolding piping wiring fencing meeting gathering seating
lightning sibling sapling seedling viking being outbuilding covering lining pairing greeting
offering stocking legging marking writing packaging wrapping furnishing housing parking shopping
bling sterling starling gosling yearling nestling fledgling hatchling stuffing shoestring
drawstring bowstring hamstring handwriting moulding molding paneling panelling plumbing swing
""")
"""Nouns in -ing that are objects, not actions."""

LEXICAL_NAMES: tuple[str, ...] = (
    "hot dog", "potted plant", "teddy bear", "fire hydrant", "stop sign", "sports ball",
    "hair drier", "hair dryer", "blow dryer", "stuffed animal", "stuffed bear", "stuffed toy",
    "ice cream", "french fry", "french toast", "sweet potato", "bell pepper", "grilled cheese",
    "sour cream", "soft drink", "polar bear", "bald eagle", "guinea pig", "killer whale",
    "great dane", "golden retriever", "german shepherd", "french bulldog", "jack russell terrier",
    "high chair", "high heel", "high school", "hard hat", "hard drive", "top hat", "tank top",
    "crop top", "contact lens", "red carpet", "red panda", "double decker", "hot air balloon",
    "hot tub", "flat screen", "solar panel", "remote control", "merry go round", "ferris wheel",
    "roller coaster", "jack o lantern", "barbed wire", "stained glass", "first lady",
    "prime minister", "round about", "see saw", "dry erase board", "graffiti art", "street art",
    "wall art", "clip art",
)  # fmt: skip
"""Names whose first word is an adjective or a verb, or whose head is non-visual by itself."""
