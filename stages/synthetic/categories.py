"""The categories of synthetic objects: their names, their colours, and how they are rendered."""

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

    from stages.synthetic.shape_canvas import Colour, ShapeCanvas

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
BRIGHT_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "turquoise")
FUR_COLOURS = ("brown", "black", "white", "grey", "orange")
WOOD_COLOURS = ("brown", "white", "red", "blue", "grey")


@dataclass(frozen=True)
class Category:
    """One category of objects.

    Attributes:
        name: Its name in ground truth, singular, lower case.
        theme: Its supercategory.
        render: Draws one object on a canvas.
        colours: Names of its possible main colours.
        synonyms: Other names that captions use.
        novel: Whether detectors are not trained on it.
        max_tilt: Largest rotation in degrees; 180 for objects that lie in any direction.
        can_flip: Whether it may be mirrored; False for objects with letters.
        plural: Plural of the name, if it is irregular.
    """

    name: str
    theme: str
    render: Callable[[ShapeCanvas], None]
    colours: tuple[str, ...] = BRIGHT_COLOURS
    synonyms: tuple[str, ...] = ()
    novel: bool = False
    max_tilt: float = 12.0
    can_flip: bool = True
    plural: str = ""


CATEGORIES: tuple[Category, ...] = (
    Category("apple", "food", food.apple, ("red", "green", "yellow"), max_tilt=35),
    Category("orange", "food", food.orange, ("orange",), ("tangerine",), max_tilt=60),
    Category("pear", "food", food.pear, ("green", "yellow"), novel=True, max_tilt=35),
    Category("banana", "food", food.banana, ("yellow", "green"), max_tilt=180),
    Category("carrot", "food", food.carrot, ("orange",), max_tilt=180),
    Category("pizza", "food", food.pizza, ("yellow",), ("pizza slice",), max_tilt=180),
    Category("cake", "food", food.cake, ("pink", "white", "brown", "blue"), ("birthday cake",),
             max_tilt=8),
    Category("ice cream", "food", food.ice_cream, ("pink", "brown", "green", "yellow", "white"),
             ("ice cream cone",), max_tilt=30),
    Category("mug", "kitchen", kitchen.mug, (*BRIGHT_COLOURS, "white", "black"), ("cup",)),
    Category("teapot", "kitchen", kitchen.teapot, (*BRIGHT_COLOURS, "white"), ("kettle",),
             novel=True),
    Category("bottle", "kitchen", kitchen.bottle, ("green", "blue", "brown", "red"), max_tilt=40),
    Category("wine glass", "kitchen", kitchen.wine_glass, ("red", "yellow", "pink"), ("goblet",),
             plural="wine glasses"),
    Category("car", "vehicle", vehicles.car, (*BRIGHT_COLOURS, "white", "black", "grey"),
             ("automobile",)),
    Category("bus", "vehicle", vehicles.bus, (*BRIGHT_COLOURS, "white"), ("coach",), novel=True,
             plural="buses"),
    Category("truck", "vehicle", vehicles.truck, (*BRIGHT_COLOURS, "white", "grey"), ("lorry",)),
    Category("train", "vehicle", vehicles.train, ("red", "green", "blue", "black", "orange"),
             ("locomotive",), max_tilt=8),
    Category("bicycle", "vehicle", vehicles.bicycle, (*BRIGHT_COLOURS, "black"), ("bike",)),
    Category("airplane", "vehicle", vehicles.airplane, ("red", "blue", "green", "orange", "grey"),
             ("plane",), novel=True, max_tilt=35),
    Category("sailboat", "vehicle", vehicles.sailboat, (*BRIGHT_COLOURS, "brown"), ("boat",)),
    Category("rocket", "vehicle", vehicles.rocket, BRIGHT_COLOURS, ("spaceship",), max_tilt=50),
    Category("cat", "animal", animals.cat, FUR_COLOURS, ("kitten",)),
    Category("dog", "animal", animals.dog, FUR_COLOURS, ("puppy",), plural="dogs"),
    Category("rabbit", "animal", animals.rabbit, ("white", "grey", "brown"), ("bunny",),
             novel=True),
    Category("fish", "animal", animals.fish, BRIGHT_COLOURS, max_tilt=30, plural="fish"),
    Category("bird", "animal", animals.bird, (*BRIGHT_COLOURS, "brown", "grey")),
    Category("butterfly", "animal", animals.butterfly, BRIGHT_COLOURS, novel=True, max_tilt=60,
             plural="butterflies"),
    Category("snail", "animal", animals.snail, ("brown", "orange", "pink", "purple", "green")),
    Category("turtle", "animal", animals.turtle, ("green", "brown", "turquoise"), ("tortoise",)),
    Category("tree", "plant", plants.tree, ("green",), max_tilt=6),
    Category("flower", "plant", plants.flower, ("red", "pink", "purple", "orange", "blue", "white"),
             max_tilt=25),
    Category("cactus", "plant", plants.cactus, ("green",), novel=True, plural="cacti"),
    Category("mushroom", "plant", plants.mushroom, ("red", "brown", "orange", "purple"),
             ("toadstool",)),
    Category("chair", "home", home.chair, WOOD_COLOURS, ("seat",)),
    Category("table", "home", home.table, WOOD_COLOURS, ("desk",)),
    Category("lamp", "home", home.lamp, (*BRIGHT_COLOURS, "white"), ("table lamp",)),
    Category("clock", "home", home.clock, (*BRIGHT_COLOURS, "black"), ("alarm clock",), novel=True,
             max_tilt=25),
    Category("book", "home", home.book, (*BRIGHT_COLOURS, "brown"), max_tilt=60),
    Category("key", "home", home.key, ("yellow", "grey", "orange"), max_tilt=180),
    Category("scissors", "home", home.scissors, (*BRIGHT_COLOURS, "black"), max_tilt=180,
             plural="scissors"),
    Category("umbrella", "home", home.umbrella, BRIGHT_COLOURS, ("parasol",), novel=True,
             max_tilt=35),
    Category("ball", "play", play.ball, (*BRIGHT_COLOURS, "black"), ("toy ball",), max_tilt=180),
    Category("balloon", "play", play.balloon, BRIGHT_COLOURS, max_tilt=25),
    Category("kite", "play", play.kite, BRIGHT_COLOURS, novel=True, max_tilt=40),
    Category("guitar", "play", play.guitar, ("brown", "orange", "red", "black", "blue"),
             novel=True, max_tilt=180),
    Category("tennis racket", "play", play.tennis_racket, (*BRIGHT_COLOURS, "black"), ("racquet",),
             novel=True, max_tilt=180),
    Category("drum", "play", play.drum, ("red", "blue", "green", "purple", "orange")),
    Category("teddy bear", "play", play.teddy_bear, ("brown", "pink", "grey", "orange"),
             ("stuffed bear",)),
    Category("snowman", "play", play.snowman, ("red", "green", "blue", "purple"), novel=True,
             plural="snowmen"),
    Category("hat", "clothes", play.hat, (*BRIGHT_COLOURS, "black", "brown"), max_tilt=20),
    Category("shoe", "clothes", play.shoe, (*BRIGHT_COLOURS, "black", "grey"), ("sneaker",),
             max_tilt=25),
    Category("house", "street", street.house, ("red", "brown", "blue", "green", "grey"), ("home",),
             max_tilt=5),
    Category("traffic light", "street", street.traffic_light, ("black",), ("stoplight",)),
    Category("fire hydrant", "street", street.fire_hydrant, ("red", "yellow", "blue", "orange"),
             ("hydrant",)),
    Category("stop sign", "street", street.stop_sign, ("red",), ("road sign",), novel=True,
             can_flip=False),
)  # fmt: skip

BASE: tuple[str, ...] = tuple(c.name for c in CATEGORIES if not c.novel)
NOVEL: tuple[str, ...] = tuple(c.name for c in CATEGORIES if c.novel)
