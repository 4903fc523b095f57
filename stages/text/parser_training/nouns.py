"""Common English nouns by kind, most frequent first, for the caption grammar."""

from __future__ import annotations


def split_words(text: str) -> tuple[str, ...]:
    """Split on white space; an underscore stands for a space inside a name.

    >>> split_words("kite hot_dog")
    ('kite', 'hot dog')
    """
    return tuple(word.replace("_", " ") for word in text.split())


PEOPLE = split_words("""
man woman boy girl child baby toddler kid infant person teenager teen adult lady gentleman guy
male female mother father mom dad parent grandmother grandfather grandson granddaughter son
daughter brother sister husband wife bride groom couple friend family neighbor stranger skier
snowboarder skateboarder surfer swimmer diver runner jogger cyclist biker motorcyclist rider
jockey climber hiker camper hunter fisherman golfer boxer wrestler gymnast skater dancer ballerina
player pitcher batter catcher umpire referee goalie coach athlete cheerleader teammate opponent
singer musician guitarist drummer violinist pianist rapper artist painter sculptor actor actress
comedian magician clown model celebrity author writer poet journalist reporter photographer
director filmmaker student teacher professor scientist doctor nurse dentist surgeon patient vet
lawyer judge politician president senator mayor minister governor king queen prince princess
soldier officer policeman cop guard sailor pilot astronaut firefighter fireman marine captain
worker farmer chef cook baker waiter waitress bartender barista butcher driver mechanic carpenter
builder welder plumber electrician engineer architect designer tailor barber hairdresser vendor
merchant seller shopper customer cashier clerk manager businessman businesswoman executive tourist
traveler passenger pedestrian commuter visitor guest spectator fan viewer protester performer
acrobat juggler busker cowboy shepherd monk nun priest pope bishop pirate witch zombie hipster
hippie homeless bystander onlooker crew audience congregation team band choir orchestra crowd
troop class army gang panel senior youth nominee winner loser champion finalist contestant
presenter host hostess speaker lecturer duke duchess knight warrior wizard fairy angel mermaid
vampire ghost skeleton monster alien superhero hero villain chairman secretary ambassador employee
staff volunteer resident citizen villager native refugee immigrant prisoner thief detective
inspector conductor mayor composer dancer comic stylist hairstylist collector inventor founder
astronomer explorer pioneer toddler newborn twin sibling cousin uncle aunt grandma grandpa
""")
ANIMALS = split_words("""
dog puppy cat kitten horse pony foal donkey mule cow bull calf ox goat lamb pig piglet hog rabbit
bunny hamster mouse rat squirrel chipmunk beaver otter raccoon skunk fox wolf coyote bear cub lion
lioness tiger leopard cheetah panther cougar lynx elephant giraffe zebra rhino hippo camel llama
alpaca antelope gazelle buffalo elk monkey gorilla chimpanzee baboon orangutan kangaroo koala
panda sloth bat bird pigeon dove seagull gull crow raven sparrow robin finch hummingbird parrot
macaw cockatoo owl eagle hawk falcon vulture duck duckling swan goose pelican flamingo heron stork
crane ostrich peacock penguin chicken hen rooster chick turkey turtle tortoise lizard gecko iguana
snake frog toad alligator crocodile shark whale dolphin seal walrus octopus squid jellyfish crab
lobster starfish oyster butterfly moth bee wasp ant spider dinosaur dragon unicorn beetle ladybug
dragonfly caterpillar snail worm fly mosquito grasshopper dalmatian poodle bulldog collie beagle
labrador terrier greyhound retriever spaniel husky pug stallion mare herd flock
""")
VEHICLES = split_words("""
car truck bus van taxi cab limousine jeep pickup minivan sedan convertible bicycle bike motorcycle
motorbike scooter moped tricycle train locomotive tram trolley streetcar subway airplane plane jet
helicopter glider airliner biplane boat ship canoe kayak raft yacht sailboat ferry barge rowboat
speedboat submarine cruiser tractor bulldozer crane forklift trailer wagon cart carriage stroller
rickshaw ambulance tank rocket wheelchair sled sleigh snowmobile balloon chariot gondola
""")
FURNITURE = split_words("""
chair table couch sofa bed desk bench stool bookshelf shelf cabinet drawer dresser nightstand
wardrobe closet cupboard counter countertop ottoman armchair recliner crib cradle mattress pillow
cushion blanket quilt bedspread comforter sheet rug carpet mat curtain blind lamp chandelier
lampshade mirror clock vase frame fireplace mantle candle refrigerator fridge freezer stove oven
microwave toaster blender dishwasher sink faucet bathtub tub shower toilet urinal bidet towel
television tv monitor screen computer laptop keyboard mouse printer speaker stereo radio phone
telephone cellphone smartphone tablet camera tripod microphone headphone remote controller fan
heater vent outlet switch plug cord cable wire console couch futon stand rack hanger
""")
OBJECTS = split_words("""
ball bat racket racquet glove mitt net goal hoop frisbee kite skateboard surfboard snowboard ski
paddle oar helmet pole rope leash collar saddle harness bag backpack purse handbag suitcase
luggage briefcase wallet basket bucket box crate barrel bin can jar bottle cup mug glass bowl
plate dish tray platter pan pot kettle pitcher saucer fork knife spoon spatula ladle chopstick
napkin tablecloth straw lid cap cork sponge soap brush comb toothbrush toothpaste razor hairdryer
umbrella book magazine newspaper notebook paper card letter envelope stamp pen pencil marker
crayon scissor stapler ruler eraser folder map globe calendar poster painting drawing sculpture
statue toy doll puzzle block balloon bubble puppet robot teddy drum guitar violin cello piano
trumpet saxophone flute harp accordion banjo horn tuba bell whistle hammer saw drill screwdriver
wrench shovel rake hoe broom mop ladder wheelbarrow hose sprinkler nail screw bolt chain lock key
sword gun rifle cannon bow arrow spear shield axe flag banner sign billboard barrel tent hammock
sack lantern torch flashlight match lighter cigarette pipe cigar coin ring necklace bracelet
earring watch badge medal trophy ribbon wreath ornament stocking gift present wheel tire engine
hood bumper mirror windshield seat pedal handle knob button lever panel tag label logo tattoo
graffiti mask wig crown veil feather leaf shell bone stick log branch twig stump hay straw bead
chalk snowball snowman snowflake sandcastle scarecrow pumpkin mailbox hydrant meter cone barrier
railing rail fence gate post pole lamppost streetlight bollard dumpster swing slide ramp
trampoline seesaw
""")
PLACES = split_words("""
street road highway freeway avenue alley lane path trail sidewalk crosswalk intersection curb
driveway bridge tunnel station platform track airport runway tarmac hangar terminal dock pier
harbor marina port beach shore coast ocean sea lake pond river stream creek waterfall canal pool
fountain bay lagoon island field meadow pasture farm ranch barn stable pen enclosure cage zoo
aquarium park playground garden yard backyard lawn courtyard patio deck porch balcony terrace
forest jungle wood desert mountain hill hillside valley canyon cliff cave volcano glacier slope
town city village neighborhood downtown plaza square market mall store shop supermarket bakery
restaurant cafe diner bar pub kitchen bathroom bedroom room hallway lobby office classroom library
museum gallery theater stadium arena gym court rink church temple mosque cathedral chapel castle
palace tower skyscraper building house home cottage cabin hut shed garage warehouse factory
hospital hotel motel school university campus stage concert festival fair carnival parade wedding
ceremony party racetrack cemetery graveyard monument shipyard vineyard orchard greenhouse windmill
lighthouse dam fort ruin studio salon nursery attic basement cellar exhibit
""")
STRUCTURE = split_words("""
wall floor ceiling roof window windowsill door doorway entrance gate stair staircase step column
pillar arch dome chimney balcony ledge counter corner facade tile brick beam railing fence awning
canopy gutter sign shutter elevator escalator grass tree bush shrub flower rose tulip daisy
sunflower lily orchid plant cactus palm pine fern moss ivy vine weed hedge rock stone boulder
pebble sand dirt mud puddle snow ice water wave cloud sky sun moon star rainbow fog mist smoke
fire flame shadow reflection sunset sunrise horizon rain lightning storm dust gravel ground land
""")
FOOD = split_words("""
pizza sandwich burger hamburger hotdog fry salad soup stew pasta noodle rice bread toast bagel bun
roll croissant muffin cupcake cake pie cookie brownie donut doughnut pastry waffle pancake cereal
oatmeal egg omelet bacon sausage ham steak beef pork chicken turkey fish salmon tuna shrimp
lobster sushi taco burrito nacho cheese butter cream yogurt milk juice coffee tea wine beer water
soda lemonade cocktail smoothie chocolate candy sugar honey syrup jam jelly sauce ketchup mustard
mayonnaise salt pepper spice herb garlic onion tomato potato carrot broccoli cauliflower cabbage
lettuce spinach celery cucumber zucchini eggplant squash corn pea bean mushroom olive pickle
avocado apple orange banana grape strawberry blueberry raspberry cherry peach pear plum mango
pineapple kiwi lemon lime melon watermelon coconut fruit vegetable meat food meal dinner lunch
breakfast dessert snack appetizer dough batter topping crust frosting icing popcorn pretzel
cracker chip nut almond peanut walnut
""")
CLOTHES = split_words("""
shirt t-shirt blouse sweater sweatshirt hoodie jacket coat vest suit tuxedo dress gown skirt robe
uniform costume outfit apron scarf tie necktie bowtie hat cap beanie helmet hood headband bandana
turban veil glove mitten sock shoe boot sneaker sandal slipper heel belt buckle pocket zipper
button collar sleeve swimsuit bikini wetsuit kimono sari kilt jersey backpack purse goggle
sunglass jumpsuit tutu poncho clothing clothes jewelry makeup clutch tank tights leotard
""")
PLURAL_ONLY = split_words("""
pants jeans shorts trousers overalls leggings sunglasses glasses goggles scissors pajamas
binoculars headphones tweezers pliers tongs skis stairs
""")
BODY = split_words("""
head face eye ear nose mouth lip tongue tooth cheek chin forehead hair beard mustache neck
shoulder arm elbow wrist hand finger thumb palm fist chest back stomach belly waist hip leg knee
foot ankle toe tail wing beak paw claw horn antler fur mane trunk tusk skin muscle feather lap
""")
MATERIALS = split_words("""
metal steel iron brick stone glass plastic concrete wood marble leather cotton wool silk denim
paper cardboard rubber brass bronze copper clay tile lace straw bamboo granite wicker snow sand
ice chocolate fruit vegetable chicken velvet satin linen chrome aluminum tin vinyl foam rattan
mesh plaster stucco asphalt cobblestone timber hardwood porcelain quartz slate jute fur suede rope
wire
""")
SPORTS = split_words("""
tennis baseball basketball football soccer volleyball golf hockey rugby cricket lacrosse polo
badminton softball bowling boxing karate judo yoga ballet track surfing skiing snowboarding
skateboarding cycling swimming racing wrestling gymnastics
""")
GERUND_MODIFIERS = split_words("""
living:room dining:room dining:table parking:lot parking:meter parking:garage parking:space
swimming:pool swimming:trunks washing:machine sewing:machine shopping:cart shopping:bag
shopping:mall shopping:center waiting:room changing:table cutting:board ironing:board frying:pan
mixing:bowl baking:sheet baking:dish sleeping:bag rocking:chair walking:stick hiking:trail
hiking:boots climbing:wall bowling:alley racing:car riding:helmet fishing:boat fishing:pole
fishing:rod fishing:net hunting:dog skating:rink dressing:room landing:gear landing:strip
running:shoes training:ground playing:field playing:card drinking:fountain drinking:glass
serving:tray measuring:cup cooking:pot wedding:cake wedding:dress wedding:ring building:site
boxing:ring reading:glasses vending:machine crossing:sign warning:sign surfing:competition
writing:desk steering:wheel lighting:fixture
""")
COMPOUNDS = split_words("""
baseball_bat baseball_game baseball_player baseball_field baseball_glove baseball_uniform
tennis_court tennis_racket tennis_ball tennis_player tennis_match soccer_ball soccer_player
soccer_field soccer_game football_player football_team football_field basketball_court
basketball_hoop hockey_player hockey_game golf_course golf_club golf_cart fire_hydrant fire_truck
fire_engine fire_escape stop_sign street_sign street_light street_vendor street_corner
traffic_light traffic_sign traffic_signal train_station train_track train_car subway_train
bus_stop bus_driver police_officer police_car police_dog city_street city_bus city_skyline
town_square school_bus school_uniform double_decker tour_bus passenger_train freight_train
steam_engine steam_train jet_airplane fighter_jet jet_ski ski_slope ski_lift ski_pole ski_jacket
ski_resort snow_board surf_board wind_turbine skate_park skate_board kitchen_counter kitchen_table
kitchen_sink kitchen_island kitchen_cabinet bathroom_sink bathroom_mirror bathroom_floor
toilet_paper toilet_seat toilet_bowl shower_curtain shower_door bath_tub bath_towel hand_towel
coffee_table coffee_cup coffee_mug coffee_maker coffee_shop coffee_pot tea_kettle tea_pot
wine_glass wine_bottle beer_bottle water_bottle soda_can paper_towel paper_plate paper_bag
plastic_bag trash_can garbage_can garbage_truck trash_bag flower_pot flower_vase flower_garden
flower_bed teddy_bear polar_bear grizzly_bear sea_lion mountain_lion mountain_goat guinea_pig
sheep_dog clock_tower church_steeple tower_clock alarm_clock wall_clock bell_tower cell_phone
computer_mouse computer_monitor computer_desk computer_screen laptop_computer computer_keyboard
desktop_computer video_game game_controller video_camera television_set tv_screen tv_stand
remote_control night_stand book_shelf book_store book_case picture_frame window_sill window_pane
door_frame door_knob door_handle bed_frame bed_sheet bunk_bed hospital_bed hotel_room dorm_room
game_room class_room conference_room dinner_table dinner_plate picnic_table picnic_basket
lunch_box birthday_cake birthday_party birthday_hat chocolate_cake cheese_pizza pepperoni_pizza
pizza_slice cheese_burger chicken_sandwich tomato_sauce tomato_soup potato_chip french_fry
ice_cream ice_cube fruit_salad fruit_stand fruit_bowl vegetable_soup orange_juice apple_tree
palm_tree pine_tree oak_tree tree_branch tree_trunk tree_stump christmas_tree cherry_blossom
rose_petal corn_field wheat_field rice_field hay_bale grass_field sand_castle sand_dune sand_box
beach_umbrella beach_chair beach_ball beach_towel lawn_chair lawn_mower garden_hose park_bench
parade_float stone_wall brick_wall brick_building office_building apartment_building office_chair
wood_floor hardwood_floor tile_floor glass_door glass_vase metal_pole metal_bench metal_fence
chain_link_fence picket_fence wire_fence barbed_wire_fence rail_road railroad_track
railroad_crossing dirt_road dirt_path dirt_bike mountain_bike mountain_range motor_cycle
motor_scooter motor_boat sail_boat speed_boat row_boat cruise_ship tug_boat life_jacket life_guard
life_vest wet_suit bathing_suit business_suit suit_case swim_suit tank_top knit_cap winter_coat
leather_jacket dress_shirt polo_shirt neck_tie bow_tie baseball_cap cowboy_hat cowboy_boot
santa_hat tennis_shoe ball_gown head_band hair_dryer hair_brush tooth_brush nail_polish lip_gloss
back_pack hand_bag shoulder_bag duffel_bag gift_bag sports_car race_car race_horse race_track
cable_car dump_truck pickup_truck tow_truck moving_van food_truck food_cart food_stand
food_processor hot_dog_bun pot_holder oven_mitt stove_top gas_station gas_stove gas_pump
power_line power_plant phone_booth telephone_pole utility_pole flag_pole light_pole light_bulb
light_fixture stage_light rock_band rock_star rock_concert marching_band jazz_band country_artist
pop_artist hip_hop_artist rock_artist visual_artist film_director film_character football_manager
basketball_player rugby_player cricket_player ice_hockey_player tv_show tv_series tv_personality
fashion_model fashion_show fashion_designer fashion_week runway_model wedding_dress wedding_cake
wedding_ring wedding_ceremony engagement_ring oil_painting water_color watercolor_painting
wall_art street_art sand_sculpture ice_sculpture snow_man gingerbread_house tree_house dog_house
bird_house bird_cage bird_feeder bird_bath cat_bed dog_bed dog_leash dog_toy stuffed_toy
horse_carriage horse_race animal_toy farm_animal baby_elephant baby_girl baby_boy baby_bird
mother_duck adult_elephant construction_worker construction_site office_worker rescue_worker
cattle_herd bee_hive spider_web pumpkin_patch candy_cane candy_bar grocery_store grocery_bag
grocery_cart department_store toy_store market_stall gift_shop snack_bar
""")
QUANTITIES = split_words("""
group couple pair bunch lot number set variety collection array assortment selection series row
line stack pile dozen range
""")
VIEWS = split_words("""
view photo picture image photograph close-up closeup shot portrait drawing illustration painting
scene display piece portion selfie snapshot rendering sketch silhouette
""")
CONTAINERS = split_words("""
slice cup bowl plate glass bottle basket box bag pile herd flock crowd loaf tray jar bouquet
bucket can pot pan mug pitcher vase stack team pack carton bunch
""")
NON_VISUAL = split_words("""
day time way part side front back top middle center bottom end edge corner background foreground
distance night evening morning afternoon summer winter spring autumn weekend year month week
season holiday event trip vacation journey tradition culture history life love idea concept style
design fashion color colour size shape place area moment example success business economy
government science education information research project process problem question answer reason
chance competition game match final tournament race award premiere launch campaign election war
battle peace crisis disaster attack accident injury news story song album film movie tv programme
show series episode music career work job role position direction order line case use action
motion progress development growth trick hug kiss tackle goal try
""")
HEADLINE_NAMES = split_words("""
person actor author politician country city organisation organization olympic_athlete
football_player hip_hop_artist pop_artist country_artist rock_artist biological_species
film_character tv_programme musical_artist football_team sports_team sports_facility
tourist_attraction noble_person us_state monarch film cricketer football_manager fashion_designer
automobile_model award geographical_feature_category fictional_character tv_character
electronic_music_artist military_commander religious_leader ice_hockey_player
basketball_point_guard american_football_player recurring_competition filming_location
river_valley western_christian_holiday public_company digital_art comic_book_character industry
building_function chivalric_order_member
""")
NAMES = split_words("""
John Mary James Anna David London Paris York Chicago Boston Tokyo China India Japan America Mexico
Canada Texas Florida California Africa Europe Brazil Spain Italy Washington Jack Russell Santa
Christmas Easter Halloween Monday Sunday July October Frisbee Wii Nintendo Apple Google Nike Honda
Ford BMW Delta Lufthansa Coca Cola Ben Michael Sarah Peter Emma Robert Kate George Elizabeth
William Diana Thomas Laura Berlin Rome Madrid Amsterdam Sydney Dublin Vienna Prague Moscow Venice
Germany France Russia Greece Egypt Thailand Vietnam Scotland Ireland England Hollywood Broadway
Toyota Mercedes Chevrolet Ferrari Harley Vespa Samsung Sony Dell Microsoft Amazon Starbucks Pepsi
Budweiser Heinz Disney Mickey Batman Superman Elmo Barbie Lego Dalmatian Chihuahua
""")
