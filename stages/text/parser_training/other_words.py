"""Common English words other than nouns, for the caption grammar.

A verb is written with its forms: base, third person, -ing, past participle.
"""

from __future__ import annotations

from stages.text.parser_training.nouns import split_words

ADJECTIVES = split_words("""
small large big little tiny huge giant tall short long wide narrow thick thin young old elderly
new modern vintage antique old-fashioned ancient traditional beautiful pretty cute lovely adorable
handsome attractive ugly dirty clean messy tidy empty full busy crowded quiet open closed wooden
metallic golden striped plaid colorful bright dark light pale shiny fluffy furry fuzzy hairy bald
bearded muscular skinny fat chubby happy sad angry smiling sleepy tired hungry lazy playful
curious serious funny silly asian african american european indian chinese japanese mexican female
male teenage adult wet dry hot cold warm cool frozen snowy rainy sunny cloudy foggy windy stormy
sandy grassy rocky muddy dusty dirty hilly mountainous wild domestic fresh ripe raw cooked fried
grilled baked delicious tasty sweet sour healthy various several different multiple many assorted
decorative ornate fancy elegant stylish luxurious cozy comfortable soft hard smooth rough flat
round square rectangular oval circular curved straight steep shallow deep calm choppy blurry clear
transparent reflective urban rural outdoor indoor public private local famous popular professional
amateur electric digital plastic red-haired blond blonde brunette naked shirtless barefoot
tattooed pregnant disabled blind lone single double pink-haired adjacent distant nearby
upside-down seamless abstract festive tropical exotic historic medieval gothic industrial bumpy
curly wavy leafy flowery dusty rusty shady misty spicy salty sugary creamy crispy crunchy juicy
greasy oily soapy bubbly silky woolly sporty pointy spotty stripy scary spooky creepy cheery jolly
merry angry thirsty naughty wealthy stony icy frosty chilly breezy stocky curvy slimy sticky
shaggy scruffy bushy feathery lacy frilly glossy sparkly roomy homey trendy sexy classy artsy
touristy musical natural historical cultural botanical tropical electrical mechanical medical
political national international regional global social coastal floral oral royal digital virtual
typical decorative attractive expensive massive active creative impressive native festive
protective famous delicious gorgeous enormous dangerous mysterious nervous religious various
precious scenic panoramic athletic domestic organic exotic romantic realistic geometric artistic
acrobatic colourful playful peaceful cheerful graceful thoughtful skillful sleeveless topless
homeless wireless endless fashionable adjustable portable edible visible possible flexible
comfortable checkered hooded flowered freckled spotted tattered rugged crooked gifted talented
long-haired cartoonish reddish whitish stylish childish kiddie rival fellow iconic unique rare
fake real plain steel-gray makeshift wooded mossy residential commercial military royal religious
holy wealthy poor homeless lonely nice great good fun interesting unusual strange weird odd
typical classic contemporary rustic retro cartoon-like dirty-looking gray-haired black-and-white
high low upper lower left right front rear top bottom inner outer central main final first second
third whole entire partial half mini extra
""")
COLORS = split_words("""
red blue green yellow orange purple pink brown black white gray grey tan beige gold silver maroon
turquoise teal navy lime khaki cream bronze burgundy violet lavender blond crimson scarlet
""")
PARTICIPLES = split_words("""
parked stuffed painted sliced chopped diced broken abandoned rusted decorated covered lit unmade
furnished tiled paved fenced filled stacked folded torn faded worn lined carved knitted printed
embroidered illustrated isolated uncooked unidentified uniformed costumed dressed seated crossed
raised outstretched closed opened burnt melted mixed roasted steamed smoked toasted peeled
standing sitting flying running walking moving passing smiling laughing crying sleeping barking
swimming jumping grazing floating hanging oncoming incoming growing burning glowing shining
blooming setting rising crashing rolling winding falling
""")
INTRANSITIVE = split_words("""
sit/sits/sitting/seated stand/stands/standing/stood lie/lies/lying/lain lay/lays/laying/laid
walk/walks/walking/walked run/runs/running/run jump/jumps/jumping/jumped fly/flies/flying/flown
swim/swims/swimming/swum play/plays/playing/played sleep/sleeps/sleeping/slept
rest/rests/resting/rested lean/leans/leaning/leaned hang/hangs/hanging/hung
float/floats/floating/floated graze/grazes/grazing/grazed surf/surfs/surfing/surfed
ski/skis/skiing/skied skate/skates/skating/skated snowboard/snowboards/snowboarding/snowboarded
skateboard/skateboards/skateboarding/skateboarded dance/dances/dancing/danced
pose/poses/posing/posed smile/smiles/smiling/smiled laugh/laughs/laughing/laughed
look/looks/looking/looked stare/stares/staring/stared gaze/gazes/gazing/gazed
wait/waits/waiting/waited travel/travels/traveling/traveled race/races/racing/raced
perform/performs/performing/performed sing/sings/singing/sung speak/speaks/speaking/spoken
talk/talks/talking/talked work/works/working/worked climb/climbs/climbing/climbed
crawl/crawls/crawling/crawled slide/slides/sliding/slid balance/balances/balancing/balanced
leap/leaps/leaping/leapt perch/perches/perching/perched dive/dives/diving/dived
fall/falls/falling/fallen cross/crosses/crossing/crossed turn/turns/turning/turned
park/parks/parking/parked stop/stops/stopping/stopped land/lands/landing/landed
sail/sails/sailing/sailed row/rows/rowing/rowed drive/drives/driving/driven
ride/rides/riding/ridden march/marches/marching/marched kneel/kneels/kneeling/knelt
squat/squats/squatting/squatted crouch/crouches/crouching/crouched bend/bends/bending/bent
gather/gathers/gathering/gathered shop/shops/shopping/shopped wade/wades/wading/waded
splash/splashes/splashing/splashed roll/rolls/rolling/rolled grow/grows/growing/grown
bloom/blooms/blooming/bloomed shine/shines/shining/shone wander/wanders/wandering/wandered
roam/roams/roaming/roamed stroll/strolls/strolling/strolled jog/jogs/jogging/jogged
compete/competes/competing/competed practice/practices/practicing/practiced
celebrate/celebrates/celebrating/celebrated arrive/arrives/arriving/arrived
relax/relaxes/relaxing/relaxed nap/naps/napping/napped bark/barks/barking/barked
snack/snacks/snacking/snacked dine/dines/dining/dined peek/peeks/peeking/peeked
point/points/pointing/pointed wave/waves/waving/waved reach/reaches/reaching/reached
hike/hikes/hiking/hiked camp/camps/camping/camped fish/fishes/fishing/fished
drink/drinks/drinking/drunk eat/eats/eating/eaten read/reads/reading/read go/goes/going/gone
come/comes/coming/come glide/glides/gliding/glided spin/spins/spinning/spun
flip/flips/flipping/flipped gesture/gestures/gesturing/gestured grin/grins/grinning/grinned
yell/yells/yelling/yelled scream/screams/screaming/screamed clap/claps/clapping/clapped
bow/bows/bowing/bowed head/heads/heading/headed rise/rises/rising/risen set/sets/setting/set
train/trains/training/trained bounce/bounces/bouncing/bounced dig/digs/digging/dug
appear/appears/appearing/appeared live/lives/living/lived step/steps/stepping/stepped
bike/bikes/biking/biked grind/grinds/grinding/ground dangle/dangles/dangling/dangled
sprint/sprints/sprinting/sprinted tumble/tumbles/tumbling/tumbled hover/hovers/hovering/hovered
skydive/skydives/skydiving/skydived hunt/hunts/hunting/hunted squint/squints/squinting/squinted
""")
TRANSITIVE = split_words("""
hold/holds/holding/held wear/wears/wearing/worn ride/rides/riding/ridden eat/eats/eating/eaten
carry/carries/carrying/carried throw/throws/throwing/thrown catch/catches/catching/caught
hit/hits/hitting/hit kick/kicks/kicking/kicked swing/swings/swinging/swung
pull/pulls/pulling/pulled push/pushes/pushing/pushed chase/chases/chasing/chased
watch/watches/watching/watched use/uses/using/used play/plays/playing/played cut/cuts/cutting/cut
cook/cooks/cooking/cooked prepare/prepares/preparing/prepared make/makes/making/made
hug/hugs/hugging/hugged kiss/kisses/kissing/kissed pet/pets/petting/petted feed/feeds/feeding/fed
brush/brushes/brushing/brushed wash/washes/washing/washed clean/cleans/cleaning/cleaned
paint/paints/painting/painted draw/draws/drawing/drawn read/reads/reading/read
write/writes/writing/written drink/drinks/drinking/drunk pour/pours/pouring/poured
open/opens/opening/opened fly/flies/flying/flown drive/drives/driving/driven
walk/walks/walking/walked cross/crosses/crossing/crossed climb/climbs/climbing/climbed
jump/jumps/jumping/jumped leave/leaves/leaving/left enter/enters/entering/entered
approach/approaches/approaching/approached pass/passes/passing/passed
follow/follows/following/followed lead/leads/leading/led show/shows/showing/shown
display/displays/displaying/displayed serve/serves/serving/served sell/sells/selling/sold
buy/buys/buying/bought inspect/inspects/inspecting/inspected repair/repairs/repairing/repaired
fix/fixes/fixing/fixed build/builds/building/built cover/covers/covering/covered
surround/surrounds/surrounding/surrounded face/faces/facing/faced board/boards/boarding/boarded
load/loads/loading/loaded photograph/photographs/photographing/photographed
film/films/filming/filmed text/texts/texting/texted toss/tosses/tossing/tossed
grab/grabs/grabbing/grabbed touch/touches/touching/touched lick/licks/licking/licked
bite/bites/biting/bitten smell/smells/smelling/smelled shake/shakes/shaking/shaken
share/shares/sharing/shared cradle/cradles/cradling/cradled dress/dresses/dressing/dressed
water/waters/watering/watered plant/plants/planting/planted iron/irons/ironing/ironed
bat/bats/batting/batted saddle/saddles/saddling/saddled lift/lifts/lifting/lifted
drop/drops/dropping/dropped block/blocks/blocking/blocked tackle/tackles/tackling/tackled
attend/attends/attending/attended visit/visits/visiting/visited join/joins/joining/joined
greet/greets/greeting/greeted shoot/shoots/shooting/shot score/scores/scoring/scored
win/wins/winning/won host/hosts/hosting/hosted sign/signs/signing/signed
model/models/modeling/modeled light/lights/lighting/lit fight/fights/fighting/fought
cheer/cheers/cheering/cheered help/helps/helping/helped teach/teaches/teaching/taught
study/studies/studying/studied check/checks/checking/checked operate/operates/operating/operated
pilot/pilots/piloting/piloted hang/hangs/hanging/hung move/moves/moving/moved
decorate/decorates/decorating/decorated feature/features/featuring/featured
include/includes/including/included pick/picks/picking/picked
collect/collects/collecting/collected bring/brings/bringing/brought put/puts/putting/put
take/takes/taking/taken get/gets/getting/gotten try/tries/trying/tried
attempt/attempts/attempting/attempted execute/executes/executing/executed do/does/doing/done
need/needs/needing/needed want/wants/wanting/wanted like/likes/liking/liked
love/loves/loving/loved enjoy/enjoys/enjoying/enjoyed keep/keeps/keeping/kept set/sets/setting/set
cast/casts/casting/cast guide/guides/guiding/guided guard/guards/guarding/guarded
judge/judges/judging/judged coach/coaches/coaching/coached mount/mounts/mounting/mounted
hand/hands/handing/handed eye/eyes/eyeing/eyed back/backs/backing/backed
plate/plates/plating/plated dip/dips/dipping/dipped grip/grips/gripping/gripped
strike/strikes/striking/struck slice/slices/slicing/sliced chop/chops/chopping/chopped
mow/mows/mowing/mowed rake/rakes/raking/raked sweep/sweeps/sweeping/swept
spray/sprays/spraying/sprayed blow/blows/blowing/blown comb/combs/combing/combed
shave/shaves/shaving/shaved trim/trims/trimming/trimmed pack/packs/packing/packed
unload/unloads/unloading/unloaded store/stores/storing/stored frame/frames/framing/framed
line/lines/lining/lined top/tops/topping/topped document/documents/documenting/documented
present/presents/presenting/presented reveal/reveals/revealing/revealed
overlook/overlooks/overlooking/overlooked contain/contains/containing/contained
depict/depicts/depicting/depicted explore/explores/exploring/explored exit/exits/exiting/exited
design/designs/designing/designed style/styles/styling/styled
""")
DITRANSITIVE = split_words("""
give/gives/giving/given show/shows/showing/shown hand/hands/handing/handed feed/feeds/feeding/fed
offer/offers/offering/offered serve/serves/serving/served teach/teaches/teaching/taught
read/reads/reading/read bring/brings/bringing/brought throw/throws/throwing/thrown
sell/sells/selling/sold
""")
ADVERBS = split_words("""
very quickly slowly together outside inside outdoors indoors nearby away happily quietly carefully
closely casually down up around off over back forward alone still just also almost partially
upside-down overhead below above intently proudly gracefully
""")
NUMBERS = split_words("two three four five six seven eight nine ten twelve 2 3 4 5 10 20")
PREPOSITIONS = split_words("""
in on at near by with under behind beside between through across along down up over around against
from into onto inside outside above below past toward towards beneath among during
""")
LOCATIVES = split_words("""
next_to in_front_of on_top_of in_the_middle_of on_the_side_of at_the_edge_of at_the_end_of
on_the_back_of at_the_top_of out_of inside_of outside_of close_to on_the_edge_of in_the_center_of
in_back_of off_of to_the_left_of along_side_of at_the_bottom_of in_the_corner_of underneath
""")
