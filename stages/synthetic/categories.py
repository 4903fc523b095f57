"""Categories: what there is in the drawn world, how it is called and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.synthetic import shapes_animals as animals
from stages.synthetic import shapes_food as food
from stages.synthetic import shapes_home as home
from stages.synthetic import shapes_kitchen as kitchen
from stages.synthetic import shapes_plants as plants
from stages.synthetic import shapes_play as play
from stages.synthetic import shapes_street as street
from stages.synthetic import shapes_vehicles as vehicles

if TYPE_CHECKING:
    from collections.abc import Callable

    from stages.synthetic.pen import Colour, Pen

COLOURS: dict[str, Colour] = {
    "red": (206, 46, 44),
    "orange": (240, 134, 34),
    "yellow": (246, 204, 56),
    "green": (80, 164, 72),
    "blue": (54, 108, 196),
    "purple": (132, 76, 168),
    "pink": (238, 128, 168),
    "brown": (140, 90, 52),
    "black": (52, 50, 58),
    "white": (232, 230, 224),
    "grey": (146, 148, 156),
    "turquoise": (56, 178, 176),
}
ANY = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "turquoise")
FUR = ("brown", "black", "white", "grey", "orange")
WOOD = ("brown", "white", "red", "blue", "grey")


@dataclass(frozen=True)
class Category:
    """One kind of thing.

    Attributes:
        name: Its name in ground truth, singular, lower case.
        theme: The wider kind it belongs to.
        draw: Draws one of it with a pen.
        colours: Names of the main colours it may have.
        synonyms: Other names that captions use.
        novel: True if kept from the training of detectors.
        turn: Largest tilt in degrees; 180 for what lies around in any direction.
        flips: Whether it may be mirrored; not what has letters on it.
        plural: Plural of the name, where adding an s is not enough.
    """

    name: str
    theme: str
    draw: Callable[[Pen], None]
    colours: tuple[str, ...] = ANY
    synonyms: tuple[str, ...] = ()
    novel: bool = False
    turn: float = 12.0
    flips: bool = True
    plural: str = ""


CATEGORIES: tuple[Category, ...] = (
    Category("apple", "food", food.apple, ("red", "green", "yellow"), turn=35),
    Category("orange", "food", food.orange, ("orange",), ("tangerine",), turn=60),
    Category("pear", "food", food.pear, ("green", "yellow"), novel=True, turn=35),
    Category("banana", "food", food.banana, ("yellow", "green"), turn=180),
    Category("carrot", "food", food.carrot, ("orange",), turn=180),
    Category("pizza", "food", food.pizza, ("yellow",), ("pizza slice",), turn=180),
    Category("cake", "food", food.cake, ("pink", "white", "brown", "blue"), ("birthday cake",),
             turn=8),
    Category("ice cream", "food", food.ice_cream, ("pink", "brown", "green", "yellow", "white"),
             ("ice cream cone",), turn=30),
    Category("mug", "kitchen", kitchen.mug, (*ANY, "white", "black"), ("cup",)),
    Category("teapot", "kitchen", kitchen.teapot, (*ANY, "white"), ("kettle",), novel=True),
    Category("bottle", "kitchen", kitchen.bottle, ("green", "blue", "brown", "red"), turn=40),
    Category("wine glass", "kitchen", kitchen.wine_glass, ("red", "yellow", "pink"), ("goblet",),
             plural="wine glasses"),
    Category("car", "vehicle", vehicles.car, (*ANY, "white", "black", "grey"), ("automobile",)),
    Category("bus", "vehicle", vehicles.bus, (*ANY, "white"), ("coach",), novel=True,
             plural="buses"),
    Category("truck", "vehicle", vehicles.truck, (*ANY, "white", "grey"), ("lorry",)),
    Category("train", "vehicle", vehicles.train, ("red", "green", "blue", "black", "orange"),
             ("locomotive",), turn=8),
    Category("bicycle", "vehicle", vehicles.bicycle, (*ANY, "black"), ("bike",)),
    Category("airplane", "vehicle", vehicles.airplane, ("red", "blue", "green", "orange", "grey"),
             ("plane",), novel=True, turn=35),
    Category("sailboat", "vehicle", vehicles.sailboat, (*ANY, "brown"), ("boat",)),
    Category("rocket", "vehicle", vehicles.rocket, ANY, ("spaceship",), turn=50),
    Category("cat", "animal", animals.cat, FUR, ("kitten",)),
    Category("dog", "animal", animals.dog, FUR, ("puppy",), plural="dogs"),
    Category("rabbit", "animal", animals.rabbit, ("white", "grey", "brown"), ("bunny",),
             novel=True),
    Category("fish", "animal", animals.fish, ANY, turn=30, plural="fish"),
    Category("bird", "animal", animals.bird, (*ANY, "brown", "grey")),
    Category("butterfly", "animal", animals.butterfly, ANY, novel=True, turn=60,
             plural="butterflies"),
    Category("snail", "animal", animals.snail, ("brown", "orange", "pink", "purple", "green")),
    Category("turtle", "animal", animals.turtle, ("green", "brown", "turquoise"), ("tortoise",)),
    Category("tree", "plant", plants.tree, ("green",), turn=6),
    Category("flower", "plant", plants.flower, ("red", "pink", "purple", "orange", "blue", "white"),
             turn=25),
    Category("cactus", "plant", plants.cactus, ("green",), novel=True, plural="cacti"),
    Category("mushroom", "plant", plants.mushroom, ("red", "brown", "orange", "purple"),
             ("toadstool",)),
    Category("chair", "home", home.chair, WOOD, ("seat",)),
    Category("table", "home", home.table, WOOD, ("desk",)),
    Category("lamp", "home", home.lamp, (*ANY, "white"), ("table lamp",)),
    Category("clock", "home", home.clock, (*ANY, "black"), ("alarm clock",), novel=True, turn=25),
    Category("book", "home", home.book, (*ANY, "brown"), turn=60),
    Category("key", "home", home.key, ("yellow", "grey", "orange"), turn=180),
    Category("scissors", "home", home.scissors, (*ANY, "black"), turn=180, plural="scissors"),
    Category("umbrella", "home", home.umbrella, ANY, ("parasol",), novel=True, turn=35),
    Category("ball", "play", play.ball, (*ANY, "black"), ("toy ball",), turn=180),
    Category("balloon", "play", play.balloon, ANY, turn=25),
    Category("kite", "play", play.kite, ANY, novel=True, turn=40),
    Category("guitar", "play", play.guitar, ("brown", "orange", "red", "black", "blue"),
             novel=True, turn=180),
    Category("tennis racket", "play", play.tennis_racket, (*ANY, "black"), ("racquet",),
             novel=True, turn=180),
    Category("drum", "play", play.drum, ("red", "blue", "green", "purple", "orange")),
    Category("teddy bear", "play", play.teddy_bear, ("brown", "pink", "grey", "orange"),
             ("stuffed bear",)),
    Category("snowman", "play", play.snowman, ("red", "green", "blue", "purple"), novel=True,
             plural="snowmen"),
    Category("hat", "clothes", play.hat, (*ANY, "black", "brown"), turn=20),
    Category("shoe", "clothes", play.shoe, (*ANY, "black", "grey"), ("sneaker",), turn=25),
    Category("house", "street", street.house, ("red", "brown", "blue", "green", "grey"), ("home",),
             turn=5),
    Category("traffic light", "street", street.traffic_light, ("black",), ("stoplight",)),
    Category("fire hydrant", "street", street.fire_hydrant, ("red", "yellow", "blue", "orange"),
             ("hydrant",)),
    Category("stop sign", "street", street.stop_sign, ("red",), ("road sign",), novel=True,
             flips=False),
)  # fmt: skip

BASE: tuple[str, ...] = tuple(c.name for c in CATEGORIES if not c.novel)
NOVEL: tuple[str, ...] = tuple(c.name for c in CATEGORIES if c.novel)
